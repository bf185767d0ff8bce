"""The page Side by side: each feature as Celery does it and as it is done by hand, running."""
