# Sets of characters instead of a pattern, and one place for the headers.
import contextvars
import secrets
import string

from aiohttp import web

ALLOWED = set(string.ascii_letters + string.digits + "-_.")
ID = contextvars.ContextVar("ID")


def current_id():
    return ID.get(None)


def request_id(clock=time.perf_counter):
    async def middleware(request, handler):
        given = request.headers.get("X-Request-ID") or ""
        number = given if 0 < len(given) <= 64 and set(given) <= ALLOWED else secrets.token_hex(8)
        token = ID.set(number)
        began = clock()
        response = None
        try:
            response = await handler(request)
            return response
        except web.HTTPException as raised:
            response = raised
            raise
        finally:
            if response is not None:
                took = round((clock() - began) * 1000, 1)
                response.headers.update({"X-Request-ID": number, "Server-Timing": f"app;dur={took}"})
            ID.reset(token)

    return web.middleware(middleware)
