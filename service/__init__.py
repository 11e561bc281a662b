"""HTTP in, jobs out: the API service."""
