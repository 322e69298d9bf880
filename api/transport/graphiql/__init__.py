"""The GraphiQL page and the files it is made of, all served by us: a page for people who try queries by hand.

The transport's GraphQL route calls `page` and `examples`, `app` calls `assets_route`; `tools/graphiql` makes the files.
"""

from api.transport.graphiql.document import Tab, examples, page
from api.transport.graphiql.files import assets_route

__all__ = ["Tab", "assets_route", "examples", "page"]
