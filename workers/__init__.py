"""Jobs in, images out: Celery workers, each bound to its local Docker daemon."""
