"""The HTTP endpoints: GraphQL over HTTP, the one REST route, health, metrics, GraphiQL. Assembled by `app`."""
