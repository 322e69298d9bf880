"""What every route needs of a request: the service's state, and who asks."""

from dataclasses import dataclass

from starlette.requests import Request

from api.identity import Viewer, viewer_from_headers
from api.settings import Settings
from api.upstreams import Upstreams


@dataclass(frozen=True)
class State:
    """What `app` opened: held by starlette, the same for all requests. `note`: a sentence on the IDE's page."""

    settings: Settings
    upstreams: Upstreams
    note: str


def state_of(request: Request) -> State:
    """The state of the service that got this request."""
    state = request.state.held
    assert isinstance(state, State)  # noqa: S101  # put there by `app` alone; for the type checker
    return state


def viewer_of(request: Request) -> Viewer:
    """Who asks. Raises Unauthenticated."""
    settings = state_of(request).settings
    return viewer_from_headers(
        request.headers,
        admin_group=settings.admin_group,
        default_user=settings.auth_default_user,
        default_groups=settings.auth_default_groups,
    )
