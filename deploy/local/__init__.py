"""Starts the real parts on one machine: one mechanism for `make up`, `make demo`, the tests and the benchmarks.

Every part is a context manager that is ready when entered and gone, with all it left behind, when exited::

    with RedisServer(state / "redis") as redis, Registry(state / "registry") as registry:
        ...
"""
