# Sixteen bytes in hexadecimal, and the order spelled out instead of compared as a row.
import re
import struct

from aiohttp import web

AFTER = "WHERE created <= ? AND (created < ? OR id < ?)"


def posts(connection):
    async def handler(request):
        try:
            limit = int("0" + "".join(re.findall(r"^[0-9]+\Z", request.query.get("limit", "20"))))
            if limit < 1 or limit > 100:
                raise ValueError(limit)
            where, values = "", []
            if "cursor" in request.query:
                created, id = struct.unpack("!qq", bytes.fromhex(request.query["cursor"]))
                where, values = AFTER, [created, created, id]
        except (ValueError, struct.error) as error:
            return web.json_response({"error": str(error)}, status=400)
        sql = f"SELECT id, created, title FROM posts {where} ORDER BY created DESC, id DESC LIMIT ?"
        rows = connection.execute(sql, [*values, limit + 1]).fetchall()
        page = [{"id": row[0], "created": row[1], "title": row[2]} for row in rows[:limit]]
        last = struct.pack("!qq", page[-1]["created"], page[-1]["id"]).hex() if len(rows) > limit else None
        return web.json_response({"items": page, "next": last})

    return handler
