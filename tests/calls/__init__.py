"""What a query costs behind the API, as exact numbers of requests, seen at the wire."""
