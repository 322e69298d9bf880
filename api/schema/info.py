"""`Info`: the type of every resolver's `info`, strawberry's with our Context."""

from strawberry.types import Info as StrawberryInfo

from api.context import Context

Info = StrawberryInfo[Context, None]
