# Misconception: the server may keep what a cursor means. Another process of the same service doesn't know it.
import secrets

from aiohttp import web


def posts(connection):
    kept = {}

    async def handler(request):
        limit, cursor = request.query.get("limit", "20"), request.query.get("cursor")
        if limit not in {str(n) for n in range(1, 101)} or (cursor is not None and cursor not in kept):
            raise web.HTTPBadRequest()
        where, values = ("WHERE (created, id) < (?, ?)", kept[cursor]) if cursor else ("", [])
        sql = f"SELECT id, created, title FROM posts {where} ORDER BY created DESC, id DESC LIMIT ?"
        rows = connection.execute(sql, [*values, int(limit) + 1]).fetchall()
        items = [dict(zip(("id", "created", "title"), row, strict=True)) for row in rows[: int(limit)]]
        following = None
        if len(rows) > int(limit):
            following = secrets.token_urlsafe(12)
            kept[following] = [items[-1]["created"], items[-1]["id"]]
        return web.json_response({"items": items, "next": following})

    return handler
