# Misconception: the server may remember what its cursors mean. After a restart, or in the next worker, it doesn't.
import secrets

from aiohttp import web


def posts(connection):
    kept = {}

    async def handler(request):
        text = request.query.get("limit", "20")
        cursor = request.query.get("cursor")
        if not (text.isascii() and text.isdigit()) or (cursor is not None and cursor not in kept):
            raise web.HTTPBadRequest()
        if len(text) > 3 or not 1 <= int(text) <= 100:
            raise web.HTTPBadRequest()
        where = "WHERE (created, id) < (?, ?)" if cursor else ""
        sql = f"SELECT id, created, title FROM posts {where} ORDER BY created DESC, id DESC LIMIT ?"
        rows = connection.execute(sql, [*kept.get(cursor, []), int(text) + 1]).fetchall()
        items = [dict(zip(("id", "created", "title"), row, strict=True)) for row in rows[: int(text)]]
        key = None
        if len(rows) > int(text):
            key = secrets.token_hex(8)
            kept[key] = [items[-1]["created"], items[-1]["id"]]
        return web.json_response({"items": items, "next": key})

    return handler
