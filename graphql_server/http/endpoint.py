"""The endpoint of GraphQL over HTTP, by the specification (draft), whose sections are named: `Endpoint`.

With `application/graphql-response+json` the status says what happened; with `application/json` a well-formed request
is always answered 200. Every answer is a GraphQL response in JSON, also a refusal before execution.
"""

from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Protocol

import msgspec
import orjson
from graphql import GraphQLError
from starlette.requests import Request
from starlette.responses import Response
from strawberry import Schema
from strawberry.schema.exceptions import CannotGetOperationTypeError, InvalidOperationTypeError
from strawberry.types import ExecutionResult
from strawberry.types.graphql import OperationType

from graphql_server.documents.answer_size import counting_bytes
from graphql_server.documents.preparation import PreparedContext
from graphql_server.http.conditional_get import revalidated
from graphql_server.http.cross_site import refuse_cross_site
from graphql_server.http.disconnect import Cancellable, cancelled_on_disconnect
from graphql_server.http.graphql_errors import Known, error_entries, request_error
from graphql_server.http.negotiation import JSON, RESPONSE_JSON, chosen_media_type
from graphql_server.http.parameters import Parameters, allowed_operations, read_parameters
from graphql_server.http.persisted_queries import Operations
from graphql_server.refusals import OVERLOADED, RETRY_AFTER, HttpRefusal, OverLimit

TOO_LARGE = "ANSWER_TOO_LARGE"


class EndpointContext(PreparedContext, Cancellable, Protocol):
    """The context of a request."""

    def release(self) -> None:
        """Drop what was read, when the answer is complete."""


class EndpointLimits(msgspec.Struct, frozen=True):
    """The limits of bodies and answers. `suggestions`: whether messages may suggest names similar to a wrong one."""

    max_body_bytes: int
    receive_seconds: float
    max_answer_bytes: int
    suggestions: bool


@dataclass(frozen=True)
class Endpoint:
    """GraphQL over HTTP for one schema, whose extension is `Preparation`.

    `open_context`: the context of a request, once it is known who asks and admitted; raises HttpRefusal.
    `known`: the description of the service's own errors.
    `vary`: the headers that an answer depends on besides its URL.
    `origins`: of pages of other sites that may send anything, and the setting's name, for messages.
    `advice`: what to do when an answer is too large.
    """

    schema: Schema
    operations: Operations
    limits: EndpointLimits
    open_context: Callable[[Request], Awaitable[EndpointContext]]
    known: Known
    vary: str
    origins: Collection[str]
    origins_setting: str
    advice: str

    async def answer(self, request: Request) -> Response:
        """Answer one request."""
        media_type = chosen_media_type(request.headers.get("accept"))
        try:
            if media_type is None:
                raise HttpRefusal(406, f"Not acceptable; accept {RESPONSE_JSON} or {JSON}.")
            refuse_cross_site(request, self.origins, setting=self.origins_setting)
            context = await self.open_context(request)
            limits = self.limits
            parameters = await read_parameters(request, max_bytes=limits.max_body_bytes, seconds=limits.receive_seconds)
            result = await self._execute(request, context, parameters)
        except HttpRefusal as refusal:
            body = request_error(refusal.message, code=refusal.code, **refusal.more)
            return _answer(refusal.status, media_type or JSON, body, refusal.headers)
        answer = self._executed(result, media_type or JSON)
        return answer if result.errors or request.method != "GET" else revalidated(request, answer, vary=self.vary)

    async def _execute(self, request: Request, context: EndpointContext, parameters: Parameters) -> ExecutionResult:
        work = self.schema.execute(
            self.operations.text(parameters.query, parameters.document_id, parameters.extensions or {}),
            variable_values=parameters.variables,
            context_value=context,
            operation_name=parameters.operation_name or None,
            allowed_operation_types=allowed_operations(request.method),
        )
        try:
            with counting_bytes(self.limits.max_answer_bytes) as size:
                result = _admitted_result(await cancelled_on_disconnect(request, context, work))
            return self._too_large() if size.is_over else result
        except CannotGetOperationTypeError as error:
            return ExecutionResult(data=None, errors=[GraphQLError(_no_operation(error.operation_name))])
        except InvalidOperationTypeError as error:
            kind = error.operation_type.value
            if kind == OperationType.MUTATION.value:
                raise HttpRefusal(405, "Mutations are not allowed by GET; use POST.", {"Allow": "POST"}) from error
            raise HttpRefusal(400, f"{kind.capitalize()}s are not supported.") from error
        finally:
            # graphql-core's executor is a reference cycle that holds all this; what was read need not wait for the
            # garbage collector.
            context.release()

    def _executed(self, result: ExecutionResult, media_type: str) -> Response:
        """The response to an execution. One that did not begin has no `data` (section "Response")."""
        errors = result.errors or []
        began = result.data is not None or any(error.path for error in errors)
        body: dict[str, object] = {"data": result.data} if began else {}
        if errors:
            body["errors"] = error_entries(errors, self.known, suggestions=self.limits.suggestions)
        content = orjson.dumps(body)
        if began and len(content) > self.limits.max_answer_bytes:
            return self._executed(self._too_large(), media_type)
        return _answer(400 if media_type == RESPONSE_JSON and not began else 200, media_type, content)

    def _too_large(self) -> ExecutionResult:
        """The result in place of an answer that is too large."""
        limit = f"The answer has more than {self.limits.max_answer_bytes} bytes and is not sent"
        message = f"{limit}; a mutation was carried out all the same. {self.advice}"
        return ExecutionResult(data=None, errors=[GraphQLError(message, original_error=OverLimit(TOO_LARGE, message))])


def _admitted_result(result: ExecutionResult) -> ExecutionResult:
    """The result, unless the answer was too large to be computed beside the others (503)."""
    cause = result.errors[0].original_error if result.errors else None
    if isinstance(cause, OverLimit) and cause.code == OVERLOADED:
        raise HttpRefusal(503, cause.message, RETRY_AFTER, code=OVERLOADED)
    return result


def _no_operation(name: str | None) -> str:
    return "The query contains no operation." if name is None else f"The query contains no operation named {name}."


def _answer(
    status: int, media_type: str, body: Mapping[str, object] | bytes, headers: Mapping[str, str] | None = None
) -> Response:
    content_type = f"{media_type}; charset=utf-8"
    fixed = {"Content-Type": content_type, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-store"}
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    return Response(content, status, headers={**fixed, **(headers or {})})
