"""The worker's driver of its local Docker daemon: the only code that imports aiodocker."""
