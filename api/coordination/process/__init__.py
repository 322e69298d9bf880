"""The service's part of the approval process: external tasks, publication, the worker, reconciliation."""
