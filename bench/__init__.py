"""Benchmarks against docker itself, side by side on one daemon in one run: `python -m bench --help`."""
