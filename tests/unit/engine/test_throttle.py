"""Progress is thinned out, never falsified."""

from __future__ import annotations

from shipway.models.event import Progress
from workers.engine.throttle import Throttle


def report(current: int, action: str = "pushing", layer: str = "a") -> Progress:
    return Progress(id=layer, action=action, current=current, total=100)


def test_flood_is_thinned_to_the_rate() -> None:
    now = [0.0]
    throttle = Throttle(rate=5, clock=lambda: now[0])

    passed = 0
    for n in range(90):
        now[0] = n / 90
        passed += throttle.passes(report(n))

    assert passed == 5


def test_end_and_new_actions_always_pass() -> None:
    throttle = Throttle(clock=lambda: 0.0)

    assert throttle.passes(report(1))
    assert not throttle.passes(report(2))
    assert throttle.passes(report(100))
    assert throttle.passes(report(1, "mounting"))


def test_things_are_counted_apart() -> None:
    throttle = Throttle(clock=lambda: 0.0)

    assert throttle.passes(report(1, layer="a"))
    assert throttle.passes(report(1, layer="b"))


def test_repetition_never_passes() -> None:
    throttle = Throttle(clock=lambda: 0.0)
    throttle.passes(report(100))

    assert not throttle.passes(report(100))
