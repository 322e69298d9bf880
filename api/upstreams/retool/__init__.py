"""TODO api/upstreams/retool."""
