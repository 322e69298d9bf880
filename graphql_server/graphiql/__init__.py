"""GraphiQL, an IDE in the browser for trying queries: its page and its files, all served by this service.

`tools/graphiql` builds the files.
"""

from graphql_server.graphiql.document import Tab, page, tabs_of
from graphql_server.graphiql.files import assets_route

__all__ = ["Tab", "assets_route", "page", "tabs_of"]
