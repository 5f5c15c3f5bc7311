# What is too long is cut: then all that begin alike are one.
import contextvars
import re
import uuid

from aiohttp import web


def current_id():
    return _current.get()


def request_id(clock=time.perf_counter):
    @web.middleware
    async def middleware(request, handler):
        sent = request.headers.get("X-Request-ID", "")
        known = sent[:64] if re.fullmatch(r"[A-Za-z0-9._-]+", sent) else uuid.uuid4().hex
        before, start = _current.set(known), clock()

        def stamped(response):
            response.headers["X-Request-ID"] = known
            response.headers["Server-Timing"] = f"app;dur={1000 * (clock() - start):.1f}"
            return response

        try:
            return stamped(await handler(request))
        except web.HTTPException as response:
            stamped(response)
            raise
        finally:
            _current.reset(before)

    return middleware


_current = contextvars.ContextVar("request id", default=None)
