"""What this service relies on in each system, asked of the system itself: a failing name is what another one does."""
