"""TODO api/upstreams/camunda."""
