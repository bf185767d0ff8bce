"""What the lab adds inside Celery's worker, by documented settings, signals, commands and bootsteps."""
