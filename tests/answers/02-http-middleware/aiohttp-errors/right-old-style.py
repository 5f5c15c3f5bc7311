# One except a kind, the response that has begun kept with its request, and the body by hand.
def install(app, log):
    async def note(request, response):
        request["response"] = response

    def answer(status, headers=None, **members):
        body = json.dumps({"status": status, **members}).encode()
        response = web.Response(body=body, status=status, headers=headers)
        response.content_type, response.charset = "application/problem+json", "utf-8"
        return response

    @web.middleware
    async def errors(request, handler):
        try:
            return await handler(request)
        except web.HTTPException as error:
            if "response" in request:
                raise ConnectionError("too late for another answer") from error
            if error.status < 400:
                raise
            headers = error.headers.copy()
            headers.popall("Content-Type", None)
            headers.popall("Content-Length", None)
            return answer(error.status, headers, type="about:blank", title=error.reason)
        except Problem as error:
            if "response" in request:
                raise
            members = {"type": error.type, "title": error.title}
            if error.detail is not None:
                members["detail"] = error.detail
            return answer(error.status, **members)
        except Exception as error:
            log(error)
            if "response" in request:
                raise
            return answer(500, type="about:blank", title="Internal Server Error")

    app.middlewares.insert(0, errors)
    app.on_response_prepare.insert(0, note)
