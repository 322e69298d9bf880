"""A separate port for operators: metrics and health, away from the public."""

from collections.abc import Collection

from starlette.types import ASGIApp, Receive, Scope, Send

from graphql_server.http.problem_details import problem


def by_port(app: ASGIApp, operations_port: int | None, paths: Collection[str], *, private: Collection[str]) -> ASGIApp:
    """The service on two ports, if there are two. `paths`: what the operators' port answers, and nothing else.

    `private`: those of them that no other port answers.
    """

    async def handle(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            # The socket's own port, which no header can change.
            is_for_operators = scope["server"][1] == operations_port
            own = paths if is_for_operators else private
            if (scope["path"] in own) is not is_for_operators:
                await problem(404, "NOT_FOUND", "Not found.")(scope, receive, send)
                return
        await app(scope, receive, send)

    return app if operations_port is None else handle
