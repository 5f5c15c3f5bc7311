# Misconception: what the whole module knows, it will know after a restart, and in the next worker. It doesn't.
import secrets

from aiohttp import web

KEPT = {}


def posts(connection):
    async def handler(request):
        text = request.query.get("limit", "20")
        cursor = request.query.get("cursor")
        if not (text.isascii() and text.isdigit()) or (cursor is not None and cursor not in KEPT):
            raise web.HTTPBadRequest()
        if len(text) > 3 or not 1 <= int(text) <= 100:
            raise web.HTTPBadRequest()
        where = "WHERE (created, id) < (?, ?)" if cursor else ""
        sql = f"SELECT id, created, title FROM posts {where} ORDER BY created DESC, id DESC LIMIT ?"
        rows = connection.execute(sql, [*KEPT.get(cursor, []), int(text) + 1]).fetchall()
        items = [dict(zip(("id", "created", "title"), row, strict=True)) for row in rows[: int(text)]]
        key = None
        if len(rows) > int(text):
            key = secrets.token_hex(8)
            KEPT[key] = [items[-1]["created"], items[-1]["id"]]
        return web.json_response({"items": items, "next": key})

    return handler
