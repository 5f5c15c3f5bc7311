# The clock's reading is kept once, for whichever request came last.
import contextvars
import re
import uuid

from aiohttp import web


def current_id():
    return _current.get()


def request_id(clock=time.perf_counter):
    times = [0.0]

    @web.middleware
    async def middleware(request, handler):
        sent = request.headers.get("X-Request-ID", "")
        known = sent if re.fullmatch(r"[A-Za-z0-9._-]{1,64}", sent) else uuid.uuid4().hex
        before = _current.set(known)
        times[0] = clock()

        def stamped(response):
            response.headers["X-Request-ID"] = known
            response.headers["Server-Timing"] = f"app;dur={1000 * (clock() - times[0]):.1f}"
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
