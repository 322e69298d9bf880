"""The one REST route, kept for older callers: `POST /api/plans/{id}/submit`. The same verb as submitForApproval.

Errors are problem details (RFC 9457): `type`, `title`, `status`, `detail`, and our `code`, `requestId`.
"""

from http import HTTPStatus

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from starlette.requests import Request
from starlette.responses import Response

from api.coordination.permissions import acting_viewer
from api.coordination.submit import submit
from api.errors import (
    Busy,
    Misconfigured,
    Refused,
    TimedOut,
    Unauthenticated,
    Unreachable,
    UpstreamFailed,
    UserErrorCode,
)
from api.telemetry import request_id
from api.transport.asking import challenge, state_of, viewer_of

LARGEST_BODY = 10_000  # bytes
STATUSES = {
    UserErrorCode.NOT_FOUND: 404,
    UserErrorCode.FORBIDDEN: 403,
    UserErrorCode.INVALID: 400,
    UserErrorCode.INVALID_PLAN: 422,
}


class SubmitBody(BaseModel):
    """What the route takes."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", strict=True)

    draft_id: str = Field(min_length=1, max_length=255)
    user_id: str | None = None


async def submit_plan(request: Request) -> Response:
    """Submit a draft: `{draftId, userId}` → `{processId, status}`. The draft's id stands in the path as well."""
    try:
        viewer = await viewer_of(request)
        body = SubmitBody.model_validate_json(await _body(request))
        if body.draft_id != request.path_params["id"]:
            raise Refused(UserErrorCode.INVALID, "draftId and the id in the path must be the same.", field="draftId")
        state = state_of(request)
        acting = acting_viewer(viewer, body.user_id)
        done = await submit(state.upstreams, state.settings, acting, body.draft_id)
    except ValidationError as error:
        return problem(400, UserErrorCode.INVALID, "; ".join(_sentence(wrong) for wrong in error.errors()))
    except Unauthenticated as error:
        return problem(401, "UNAUTHENTICATED", str(error), challenge(error))
    except Refused as refusal:
        return problem(STATUSES.get(refusal.code, 409), refusal.code, refusal.message, process_id=refusal.process_id)
    except UpstreamFailed as failure:
        return problem(_status(failure), failure.code, failure.message)
    except Misconfigured as error:
        return problem(500, error.code, str(error))
    return Response(
        orjson.dumps({"processId": done.process_id, "status": "submitted"}), 200, media_type="application/json"
    )


async def _body(request: Request) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > LARGEST_BODY:
            raise Refused(UserErrorCode.INVALID, f"The body may have at most {LARGEST_BODY} bytes.")
    return bytes(body)


def problem(
    status: int, code: str, detail: str, headers: dict[str, str] | None = None, *, process_id: str | None = None
) -> Response:
    """Problem details. `process_id`: the approval that stands in the way."""
    body = {
        "type": "about:blank",
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": str(code),
        "requestId": request_id.get(),
        **({"processId": process_id} if process_id else {}),
    }
    return Response(orjson.dumps(body), status, headers, media_type="application/problem+json")


def _status(failure: UpstreamFailed) -> int:
    if isinstance(failure, TimedOut):
        return 504
    return 503 if isinstance(failure, Busy | Unreachable) else 502


def _sentence(wrong: object) -> str:
    location = ".".join(str(part) for part in wrong["loc"])  # type: ignore[index]  # a TypedDict of pydantic's core
    return f"{location or 'body'}: {wrong['msg']}"  # type: ignore[index]  # as above
