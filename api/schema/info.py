"""The one type of every resolver's `info`: what strawberry knows, with our Context in it."""

from strawberry.types import Info as StrawberryInfo

from api.context import Context

Info = StrawberryInfo[Context, None]
