"""What one request carries through the schema. Made by `transport` for each request."""

from dataclasses import dataclass, field

from api.identity import Viewer
from api.loaders import Loaders
from api.needs import EVERYTHING, Needs
from api.room import Room
from api.settings import Settings
from api.upstreams import Upstreams


@dataclass
class Context:
    """The viewer, the upstreams, the settings, what the request reads, and loaders made anew after every write.

    `room`: for large answers, the same for all requests.
    `shapes`: what the executor keeps with the document from one request to the next.
    `acting`: the person the last mutation was done for, where that is not the viewer; its payload is read as theirs.
    `audited`: ids whose refusal has its line in the audit log already.
    `may_be_given_up`: it changes nothing, so nobody needs it when its client has left.
    """

    viewer: Viewer
    upstreams: Upstreams
    settings: Settings
    room: Room
    needs: Needs = EVERYTHING
    may_be_given_up: bool = False
    shapes: object = None
    acting: Viewer | None = None
    audited: set[str] = field(default_factory=set)
    _loaders: Loaders | None = None

    @property
    def loaders(self) -> Loaders:
        """Made when the first is used: what the request reads is known by then."""
        if self._loaders is None:
            self._loaders = Loaders(self.upstreams, self.reader, self.needs)
        return self._loaders

    @property
    def reader(self) -> Viewer:
        """Whose rights decide what may be read."""
        return self.acting or self.viewer

    def renew_loaders(self, acting: Viewer | None = None) -> None:
        """Forget what was read: what follows a write is read afresh, by who it was done for."""
        self._loaders, self.acting = None, acting

    def give_up(self) -> None:
        """End what the loaders are asking."""
        if self._loaders is not None:
            self._loaders.abandon()


def make_context(viewer: Viewer, upstreams: Upstreams, settings: Settings, room: Room) -> Context:
    """The context of a request now begun."""
    return Context(viewer, upstreams, settings, room)
