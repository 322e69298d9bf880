"""Who may do what: every cell of the tables in docs/permissions.md, tried over HTTP on the real systems."""
