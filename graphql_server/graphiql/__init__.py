"""GraphiQL, an IDE in the browser for trying queries: its page and its files, all served by this service.

`tools/graphiql` builds the files.
"""

from graphql_server.graphiql.files import assets_route
from graphql_server.graphiql.html_page import Tab, page, tabs_of

__all__ = ["Tab", "assets_route", "page", "tabs_of"]
