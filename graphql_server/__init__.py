"""A server for GraphQL over HTTP: limits on documents, admission, the protocol, GraphiQL; for any Strawberry schema."""
