"""TODO api/upstreams/http."""
