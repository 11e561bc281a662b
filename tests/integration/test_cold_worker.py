"""A worker that never built an image takes its steps from where another one pushed them."""

from __future__ import annotations

from shipway.models.event import StepStatus
from shipway.models.job import counted_steps
from tests.integration.contexts import once, script
from tests.integration.fleet import Fleet, output_of
from tests.integration.http_api import HttpApi


def test_worker_that_is_cold_takes_the_steps_that_another_one_pushed(fleet: Fleet) -> None:
    word = once()
    tag = f"{fleet.registry.address}/cold-{word}"
    files = {
        **script("FROM base", "COPY a /a", f"RUN cat /proc/sys/kernel/random/uuid > /id # {word}", "RUN cp /a /b"),
        "a": word.encode(),
    }
    with HttpApi(fleet.stack.service.url, fleet.stack.token) as api:
        warm = api.succeed(files, tags=[f"{tag}:1"], push=True, worker="one")

        cold = api.succeed(files, tags=[f"{tag}:2"], push=True, worker="two")

    assert cold.result.answered_from is None
    assert [step.status for step in counted_steps(warm.steps)] == [StepStatus.EXECUTED] * 3
    assert cold.cache_hit_ratio == 1
    of_warm = output_of(fleet.one, f"{tag}:1", "cat", "/id")
    assert output_of(fleet.two, f"{tag}:2", "cat", "/id") == of_warm
