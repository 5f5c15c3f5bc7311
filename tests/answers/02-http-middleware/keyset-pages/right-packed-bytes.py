# Sixteen bytes in hexadecimal, and the order spelled out instead of compared as a row.
import struct

from aiohttp import web

LIMITS = {str(n): n for n in range(1, 101)}
AFTER = "WHERE created <= ? AND (created < ? OR id < ?)"


def posts(connection):
    async def handler(request):
        try:
            limit = LIMITS[request.query.get("limit", "20")]
            where, values = "", []
            if "cursor" in request.query:
                if not set(request.query["cursor"]) <= set("0123456789abcdef"):
                    raise ValueError("not hexadecimal")
                created, id = struct.unpack("!qq", bytes.fromhex(request.query["cursor"]))
                where, values = AFTER, [created, created, id]
        except (KeyError, ValueError, struct.error) as error:
            return web.json_response({"error": str(error)}, status=400)
        sql = f"SELECT id, created, title FROM posts {where} ORDER BY created DESC, id DESC LIMIT ?"
        rows = connection.execute(sql, [*values, limit + 1]).fetchall()
        page = [{"id": row[0], "created": row[1], "title": row[2]} for row in rows[:limit]]
        last = struct.pack("!qq", page[-1]["created"], page[-1]["id"]).hex() if len(rows) > limit else None
        return web.json_response({"items": page, "next": last})

    return handler
