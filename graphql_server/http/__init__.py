"""GraphQL over HTTP: media types, conditional requests, what a browser may send."""
