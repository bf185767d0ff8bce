"""The submitting side of Celery."""
