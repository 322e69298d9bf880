"""What one request carries through the schema. Made by `transport` for each request."""

from dataclasses import dataclass

from api.identity import Viewer
from api.loaders import Loaders, make_loaders
from api.settings import Settings
from api.upstreams import Upstreams


@dataclass
class Context:
    """The viewer, the upstreams, the settings, and loaders that are made anew after every write."""

    viewer: Viewer
    upstreams: Upstreams
    settings: Settings
    loaders: Loaders

    def renew_loaders(self) -> None:
        """Forget what was read: what follows a write is read afresh."""
        self.loaders = make_loaders(self.upstreams, self.viewer)


def make_context(viewer: Viewer, upstreams: Upstreams, settings: Settings) -> Context:
    """The context of a request now begun."""
    return Context(viewer, upstreams, settings, make_loaders(upstreams, viewer))
