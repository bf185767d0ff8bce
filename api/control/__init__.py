"""The control page: workers and queues in one picture for all viewers, and what can be done to them."""
