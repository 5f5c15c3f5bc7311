# "except Exception catches whatever can go wrong." CancelledError is none: a deadline leaves half a file.
from aiohttp import web

TYPES = {"image/png": b"\x89PNG\r\n\x1a\n", "image/jpeg": b"\xff\xd8\xff", "application/pdf": b"%PDF-"}


def receive_upload(folder, limit):
    """A handler that takes the body as one file of at most `limit` bytes into the directory `folder`."""
    def refuse(status):
        return web.Response(status=status, headers={"Connection": "close"})

    async def handler(request):
        if (request.content_length or 0) > limit:
            return refuse(413)
        name, digest, size, head, kind = uuid.uuid4().hex, hashlib.sha256(), 0, b"", None
        part = Path(folder) / f"{name}.part"
        try:
            with part.open("xb") as file:
                async for chunk in request.content.iter_any():
                    size += len(chunk)
                    if size > limit:
                        raise web.HTTPRequestEntityTooLarge(limit, size, headers={"Connection": "close"})
                    if kind is None:
                        head += chunk[:8]
                        kind = next((kind for kind, first in TYPES.items() if head.startswith(first)), None)
                        if kind is None and len(head) >= 8:
                            raise web.HTTPUnsupportedMediaType(headers={"Connection": "close"})
                    digest.update(chunk)
                    await asyncio.to_thread(file.write, chunk)  # a slow disk must not stop the loop
            if kind is None:
                raise web.HTTPUnsupportedMediaType(headers={"Connection": "close"})
            part.rename(part.with_suffix(""))
            return web.json_response(
                {"name": name, "type": kind, "bytes": size, "sha256": digest.hexdigest()}, status=201
            )
        except Exception:
            part.unlink(missing_ok=True)
            raise

    return handler
