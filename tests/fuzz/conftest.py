"""How many inputs: a few in `make test`; `make fuzz` says how many by SHIPWAY_FUZZ_INPUTS, for each of the tests."""

from __future__ import annotations

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "fuzz",
    settings.get_profile("shipway"),
    max_examples=int(os.environ.get("SHIPWAY_FUZZ_INPUTS", "100")),
    suppress_health_check=list(HealthCheck),
)
settings.load_profile("fuzz")
