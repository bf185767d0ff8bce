"""Tasks: submitted, listed, shown, cancelled, run in the request, and told about by workers."""
