"""GraphiQL, an IDE in the browser for trying queries: its page and its files, all served by this service.

`tools/graphiql` builds the files.
"""

from api.transport.graphiql.document import Tab, examples, page
from api.transport.graphiql.files import assets_route

__all__ = ["Tab", "assets_route", "examples", "page"]
