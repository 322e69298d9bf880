"""The one REST route, for older callers: `POST /api/plans/{id}/submit`, the same verb as submitForApproval.

Errors are problem details (RFC 9457): `type`, `title`, `status`, `detail`, and our `code`, `requestId`.
"""

from typing import Annotated

import orjson
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import Response

from api.coordination.audit_log import audited
from api.coordination.policy import policy_of
from api.coordination.rules.permissions import acting_viewer
from api.coordination.submit import Submission, submit
from api.errors import (
    Busy,
    Misconfigured,
    Refused,
    ServiceError,
    TimedOut,
    Unauthenticated,
    Unreachable,
    UpstreamFailed,
    UserErrorCode,
)
from api.transport.state import State, admitted, challenge, state_of
from authentication.identity import Viewer
from graphql_server.http.problem_details import problem
from graphql_server.http.request_body import received
from graphql_server.refusals import HttpRefusal

LARGEST_BODY = 10_000  # bytes; larger ones are read for the plan that an earlier service took
OLD_BODY = (
    "Send {draftId, userId} instead of {planData, userId}: the plan is read from the draft, so write it there first."
    " docs/migration.md says how to move."
)
STATUSES = {
    UserErrorCode.NOT_FOUND: 404,
    UserErrorCode.FORBIDDEN: 403,
    UserErrorCode.INVALID: 400,
    UserErrorCode.INVALID_PLAN: 422,
}


def _id(value: object) -> object:
    """An integer as text: programs that read tables with integer ids send them as numbers."""
    return str(value) if type(value) is int else value


DraftId = Annotated[str, BeforeValidator(_id)]


class SubmitBody(BaseModel):
    """The request's body."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)

    draft_id: DraftId = Field(min_length=1, max_length=255)
    user_id: str | None = None


async def submit_plan(request: Request) -> Response:
    """Submit a draft: `{draftId, userId}` → `{processId, status}`. The draft's id is in the path, too."""
    try:
        done = await _submit(request)
    except (HttpRefusal, ValidationError, ServiceError) as failure:
        return _problem_of(failure)
    body = {"processId": done.process_id, "status": "submitted"}
    return Response(orjson.dumps(body), 200, media_type="application/json")


async def _submit(request: Request) -> Submission:
    return await _submit_for(state_of(request), await admitted(request), request)


async def _submit_for(state: State, viewer: Viewer, request: Request) -> Submission:
    body = _submission_of(await _body(request))
    if body.draft_id != request.path_params["id"]:
        raise Refused(UserErrorCode.INVALID, "draftId and the id in the path must be the same.", field="draftId")
    with audited(viewer, "submit", draft_id=body.draft_id, user_id=body.user_id):
        acting = acting_viewer(viewer, body.user_id)
        return await submit(state.upstreams, policy_of(state.settings), acting, body.draft_id)


def _submission_of(body: bytes) -> SubmitBody:
    """What the body says. Raises ValidationError, HttpRefusal, and Refused for one that carries the plan as well."""
    try:
        submission = SubmitBody.model_validate_json(body)
    except ValidationError as wrong:
        if any(error["loc"] == ("planData",) for error in wrong.errors(include_url=False, include_input=False)):
            raise Refused(UserErrorCode.INVALID, OLD_BODY, field="planData") from wrong
        raise
    if len(body) > LARGEST_BODY:
        raise HttpRefusal(413, f"The body may have at most {LARGEST_BODY} bytes.", code="REQUEST_TOO_LARGE")
    return submission


def _problem_of(failure: HttpRefusal | ValidationError | ServiceError) -> Response:
    match failure:
        case HttpRefusal():
            answer = problem(failure.status, failure.code, failure.message, failure.headers)
        case ValidationError():
            answer = problem(400, UserErrorCode.INVALID, "; ".join(_sentence(wrong) for wrong in failure.errors()))
        case Unauthenticated():
            answer = problem(401, "UNAUTHENTICATED", str(failure), challenge(failure))
        case Refused():
            status = STATUSES.get(failure.code, 409)
            running = {"processId": failure.process_id} if failure.process_id else {}
            answer = problem(status, failure.code, failure.message, more=running)
        case UpstreamFailed():
            answer = problem(_status(failure), failure.code, failure.message)
        case _:
            answer = problem(500, Misconfigured.code, str(failure))
    return answer


async def _body(request: Request) -> bytes:
    """The body. Raises HttpRefusal, also for media types that a page of another site can send without a preflight."""
    if request.headers.get("content-type", "").partition(";")[0].strip().lower() != "application/json":
        raise HttpRefusal(415, "The body must be application/json.", code=UserErrorCode.INVALID)
    settings = state_of(request).settings
    return await received(request, at_most=settings.max_body_bytes, seconds=settings.receive_seconds)


def _status(failure: UpstreamFailed) -> int:
    if isinstance(failure, TimedOut):
        return 504
    return 503 if isinstance(failure, Busy | Unreachable) else 502


def _sentence(wrong: object) -> str:
    location = ".".join(str(part) for part in wrong["loc"])  # type: ignore[index]  # a TypedDict of pydantic's core
    return f"{location or 'body'}: {wrong['msg']}"  # type: ignore[index]  # as above
