"""The job functions and what they are given."""
