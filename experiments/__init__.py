"""Experiments: a plan, its fair running, its figures, and what they say. Used by the API and by
`python -m experiments`."""
