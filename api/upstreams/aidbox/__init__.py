"""TODO api/upstreams/aidbox."""
