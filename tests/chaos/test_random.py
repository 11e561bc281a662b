"""The short run of the random driver; `make chaos ROUNDS=200` is the long one."""

from __future__ import annotations

import os
import random

import pytest

from tests.chaos.driver import Driver
from tests.chaos.fleet import Fleet

ROUNDS = 3


@pytest.mark.timeout(600)
def test_invariants_hold_under_random_faults(fleet: Fleet) -> None:
    seed = int(os.environ.get("SHIPWAY_CHAOS_SEED") or random.randrange(10**6))
    driver = Driver(fleet, seed)

    rounds = [driver.round(number) for number in range(1, ROUNDS + 1)]

    for done in rounds:
        assert done.violations == [], f"SHIPWAY_CHAOS_SEED={seed}: {done}"
    assert sum(sum(done.outcomes.values()) for done in rounds) == 6 * ROUNDS
