# Misconception: base64 refuses what isn't base64. Python's skips foreign characters unless it is told not to.
import base64
import json
import re

from aiohttp import web


def posts(connection):
    """A handler that answers with a page of posts, newest first."""
    def encode(created, id):
        return base64.urlsafe_b64encode(json.dumps([created, id]).encode()).decode().rstrip("=")

    def decode(cursor):
        if len(cursor) > 64:  # before anything reads it: deeply nested JSON ends in a RecursionError
            raise ValueError("not a cursor")
        created, id = json.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
        if type(created) is not int or type(id) is not int or max(abs(created), abs(id)) >= 2**63:
            raise ValueError("not a cursor")
        return created, id

    async def handler(request):
        try:
            limit = request.query.get("limit", "20")
            limit = int(limit) if re.fullmatch("[0-9]{1,3}", limit) else 0
            after = decode(request.query["cursor"]) if "cursor" in request.query else None
        except (ValueError, TypeError):
            raise web.HTTPBadRequest(text="limit or cursor is not valid") from None
        if not 1 <= limit <= 100:
            raise web.HTTPBadRequest(text="limit goes from 1 to 100")
        where = "WHERE (created, id) < (?, ?)" if after else ""
        found = connection.execute(
            f"SELECT id, created, title FROM posts {where} ORDER BY created DESC, id DESC LIMIT ?",
            [*(after or ()), limit + 1],
        ).fetchall()
        items = [{"id": id, "created": created, "title": title} for id, created, title in found[:limit]]
        more = len(found) > limit
        return web.json_response({"items": items, "next": encode(items[-1]["created"], items[-1]["id"]) if more else None})

    return handler
