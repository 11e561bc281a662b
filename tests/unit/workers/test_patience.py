"""What a worker waits for, and what it doesn't."""

from __future__ import annotations

import pytest
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import NoPermissionError, OutOfMemoryError, ReadOnlyError, RedisError, ResponseError

from workers import patience

PASSING = [
    RedisConnectionError("gone"),
    OutOfMemoryError("command not allowed when used memory > 'maxmemory'"),
    ReadOnlyError("You can't write against a read only replica."),
    ResponseError("MISCONF Redis is configured to save RDB snapshots, script: 1f, on @user_script:1."),
    OSError("no route"),
]
LASTING = [
    ResponseError("user_script:12: attempt to compare nil with number script: 1f, on @user_script:12."),
    ResponseError("Error running script (call to f_1f): @user_script:12: attempt to index a nil value"),
    NoPermissionError("this user has no permissions to access one of the keys used as arguments"),
]


@pytest.mark.parametrize("fault", PASSING)
async def test_what_passes_is_waited_for(fault: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "PAUSE", 0)
    answers: list[Exception | str] = [fault, fault, "done"]

    async def call() -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    assert await patience.patiently(call) == "done"


@pytest.mark.parametrize("fault", LASTING)
async def test_what_can_not_be_right_is_told_at_once(fault: Exception) -> None:
    calls = 0

    async def call() -> None:
        nonlocal calls
        calls += 1
        raise fault

    with pytest.raises(RedisError):
        await patience.patiently(call)
    assert calls == 1
