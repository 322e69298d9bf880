"""What the approval process asks of this service: external tasks, publication, the worker, reconciliation."""
