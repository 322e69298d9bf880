"""The service's state, shared by all requests, and the admission of a request: who asks, and a slot for it."""

from dataclasses import dataclass

from starlette.requests import Request

from api.errors import Unauthenticated
from api.settings import Settings
from api.upstreams import Upstreams
from authentication import Authentication
from authentication.identity import Viewer, canonical
from graphql_server.admission.request_slots import RequestSlots
from graphql_server.admission.weighted_semaphore import WeightedSemaphore
from graphql_server.http.until_sent import until_sent
from resilience.caller import asked_by
from resilience.health import Health


@dataclass(frozen=True)
class State:
    """What `app` opened, the same for all requests. `note`: a sentence on the GraphiQL page."""

    settings: Settings
    upstreams: Upstreams
    authentication: Authentication
    request_slots: RequestSlots
    large_answers: WeightedSemaphore
    health: Health
    note: str


def state_of(request: Request) -> State:
    """The state of the service."""
    state = request.state.held
    assert isinstance(state, State)  # noqa: S101  # put there by `app` alone; for the type checker
    return state


async def viewer_of(request: Request) -> Viewer:
    """Who asks. Raises Unauthenticated, and UpstreamFailed when the issuer's keys cannot be fetched."""
    return await state_of(request).authentication.viewer(request.headers)


async def admitted(request: Request) -> Viewer:
    """Who asks, with a slot for the request until its answer is sent, and a fair share of the systems' slots.

    Raises Unauthenticated and UpstreamFailed as `viewer_of`, and HttpRefusal when no slot is free.
    """
    viewer = await viewer_of(request)
    held, caller = until_sent(request), canonical(viewer.id)
    held.callback(await state_of(request).request_slots.acquire(caller))
    held.enter_context(asked_by(caller))
    return viewer


def challenge(refusal: Unauthenticated) -> dict[str, str]:
    """The headers of a 401 (RFC 6750, section 3): the error is named only where a token was sent."""
    return {"WWW-Authenticate": 'Bearer error="invalid_token"' if refusal.token_refused else "Bearer"}
