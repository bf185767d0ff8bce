"""How statuses get from a worker to the API."""
