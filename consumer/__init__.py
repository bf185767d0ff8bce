"""The hand-written worker: everything that Celery would have done, over pika."""
