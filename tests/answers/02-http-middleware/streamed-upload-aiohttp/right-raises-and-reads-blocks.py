# Refusals are raised, the body is read in blocks, the file is one of tempfile.
from aiohttp import web

TYPES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "application/pdf": b"%PDF-"}


def receive_upload(folder, limit):
    """A handler that takes the body as one file of at most `limit` bytes into the directory `folder`."""
    import os
    import tempfile

    def refuse(error):
        raise error(headers={"Connection": "close"})

    async def handler(request):
        if request.headers.get("Content-Length") and int(request.headers["Content-Length"]) > limit:
            raise web.HTTPRequestEntityTooLarge(limit, headers={"Connection": "close"})
        place, part = tempfile.mkstemp(suffix=".part", dir=folder)
        digest, size, head = hashlib.sha256(), 0, bytearray()
        try:
            with open(place, "wb") as file:
                while block := await request.content.readany():
                    size += len(block)
                    if size > limit:
                        raise web.HTTPRequestEntityTooLarge(limit, headers={"Connection": "close"})
                    head += block[: 8 - len(head)] if len(head) < 8 else b""
                    if len(head) == 8 and not any(head.startswith(first) for first in TYPES.values()):
                        refuse(web.HTTPUnsupportedMediaType)
                    digest.update(block)
                    file.write(block)
                    file.flush()
            kinds = [kind for kind, first in TYPES.items() if head.startswith(first)]
            if not kinds:
                refuse(web.HTTPUnsupportedMediaType)
            name = digest.hexdigest()
            os.replace(part, Path(folder) / name)
            return web.json_response({"name": name, "type": kinds[0], "bytes": size, "sha256": name}, status=201)
        except BaseException:
            os.unlink(part)
            raise

    return handler
