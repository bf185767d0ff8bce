"""The submitting side of RabbitMQ without Celery."""
