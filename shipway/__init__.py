"""Shipway: build container images on the machines that have Docker, for those that don't."""

__version__ = "0.1.0"
