"""Groups of tasks that are sent, followed and cancelled together."""
