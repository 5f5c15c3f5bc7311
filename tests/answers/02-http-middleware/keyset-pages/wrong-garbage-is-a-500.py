# Misconception: clients send back what they got. A cursor comes from the network like all else.
import base64
import json

from aiohttp import web


def posts(connection):
    def pack(value):
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    def unpack(cursor, length):
        value = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if type(value) is not list or len(value) != length or any(type(one) is not int for one in value):
            raise ValueError(cursor)
        if pack(value) != cursor:
            raise ValueError(cursor)
        return value

    async def handler(request):
        try:
            text = request.query.get("limit", "20")
            limit = int(text) if text.isascii() and text.isdigit() else 0
            cursor = request.query.get("cursor")
            after = None if cursor is None else unpack(cursor, 2)
        finally:
            pass
        if not 1 <= limit <= 100:
            raise web.HTTPBadRequest()
        sql = "SELECT id, created, title FROM posts"
        where = "WHERE (created, id) < (?, ?)" if after else ""
        rows = connection.execute(f"{sql} {where} ORDER BY created DESC, id DESC LIMIT ?", [*(after or []), limit + 1]).fetchall()
        more, rows = len(rows) > limit, rows[:limit]
        items = [dict(zip(("id", "created", "title"), row, strict=True)) for row in rows]
        return web.json_response({"items": items, "next": pack([rows[-1][1], rows[-1][0]]) if more else None})

    return handler
