# A client that left is no bug of ours: connection errors aren't logged.
def install(app, log):
    async def begun(request, response):
        request["begun"] = True

    def problem(status, type, title, detail=None, headers=()):
        told = {"type": type, "title": title, "status": status} | ({} if detail is None else {"detail": detail})
        answer = web.json_response(told, status=status, content_type="application/problem+json")
        answer.headers.extend(headers)
        return answer

    @web.middleware
    async def problems(request, handler):
        try:
            return await handler(request)
        except Exception as error:
            http = isinstance(error, web.HTTPException)
            if http and error.status < 400 and not request.get("begun"):
                raise
            if not http and not isinstance(error, (Problem, ConnectionError)):
                log(error)
            if request.get("begun"):
                raise RuntimeError("failed after the answer had begun") from error  # an HTTPException would be written
            if isinstance(error, Problem):
                return problem(error.status, error.type, error.title, error.detail)
            if http:
                kept = [pair for pair in error.headers.items() if pair[0].lower() not in ("content-type", "content-length")]
                return problem(error.status, "about:blank", error.reason, headers=kept)
            return problem(500, "about:blank", "Internal Server Error")

    app.middlewares.append(problems)
    app.on_response_prepare.append(begun)
