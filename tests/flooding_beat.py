"""Celery's instance with a beat that sends a task of its own, past the API, twenty times a second:
`celery -A tests.flooding_beat beat`."""

from celery_app import celery_app

celery_app.conf.beat_schedule = {"flood": {"task": "add", "schedule": 0.05, "args": (1, 2)}}
