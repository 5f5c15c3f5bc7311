# "await request.read()": whole in memory, and with a limit of the application's.
from aiohttp import web

TYPES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "application/pdf": b"%PDF-"}


def receive_upload(folder, limit):
    """A handler that takes the body as one file of at most `limit` bytes into the directory `folder`."""
    def refuse(status):
        return web.Response(status=status, headers={"Connection": "close"})

    async def handler(request):
        if (request.content_length or 0) > limit:
            return refuse(413)
        request._client_max_size = limit
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return refuse(413)
        kind = next((kind for kind, first in TYPES.items() if body.startswith(first)), None)
        if kind is None:
            return refuse(415)
        name, digest = uuid.uuid4().hex, hashlib.sha256(body).hexdigest()
        (Path(folder) / f"{name}.part").write_bytes(body)
        (Path(folder) / f"{name}.part").rename(Path(folder) / name)
        return web.json_response({"name": name, "type": kind, "bytes": len(body), "sha256": digest}, status=201)

    return handler
