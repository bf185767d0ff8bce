"""The fault lab: cards, runs, and what became of their jobs."""
