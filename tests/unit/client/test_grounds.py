"""What holds on both grounds of the client's coroutines."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from typing import Any

import pytest

from shipway.client.alone import Alone, run_alone
from shipway.client.ground import Ground
from shipway.client.on_loop import OnLoop

Run = Callable[[Coroutine[Any, Any, None]], None]


@pytest.mark.parametrize(("stand", "run"), [(Alone, run_alone), (OnLoop, asyncio.run)])
def test_what_runs_aside_is_waited_for_at_the_end_and_not_before(stand: Callable[..., Ground], run: Run) -> None:
    may_end, said = threading.Event(), []

    def work() -> None:
        assert may_end.wait(10)
        said.append("done")

    async def use() -> None:
        ground = stand("http://127.0.0.1:9", 1, {})
        ground.aside(work)
        ground.aside(lambda: said.append("quick"))
        assert "done" not in said
        threading.Timer(0.1, may_end.set).start()
        await ground.close()

    run(use())
    assert sorted(said) == ["done", "quick"]
