"""Many follow one build: each of them is told everything once, in order, and none holds up another."""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import urlsplit

import pytest

from shipway.models.event import StateChanged
from tests.integration.contexts import once, script
from tests.integration.http_api import HttpApi
from tests.integration.test_events import gapless

pytestmark = pytest.mark.engine_independent

FOLLOWERS = 20
LOUD = "for i in $(seq 100); do seq $i 400; echo; sleep 0.01; done"
"""Writes some 200 KB in many pieces: more than the network holds for somebody who does not read."""


def follow_without_reading(api: HttpApi, job_id: str) -> socket.socket:
    """Ask for a job's events, with as little room for them as a socket can have."""
    address = urlsplit(api.url)
    asleep = socket.socket()
    asleep.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1024)
    asleep.connect((address.hostname, address.port))
    lines = (f"GET /v1/jobs/{job_id}/events HTTP/1.1", f"Host: {address.netloc}", f"Authorization: Bearer {api.token}")
    asleep.sendall("\r\n".join([*lines, "", ""]).encode())
    return asleep


def test_everyone_is_told_everything_beside_one_who_does_not_read(api: HttpApi) -> None:
    job = api.submit(script("FROM base", f"RUN echo begun; sleep 1; {LOUD} # {once()}"))
    api.wait_for_text(job.id, "begun")

    with follow_without_reading(api, job.id), ThreadPoolExecutor(FOLLOWERS) as pool:
        seen = list(pool.map(lambda after: (after, api.events(job.id, **{"from": after})), range(FOLLOWERS)))

    everything = api.events(job.id)
    assert len(everything) > FOLLOWERS
    for after, events in seen:
        assert events == everything[after:]
    assert gapless(everything)
    assert isinstance(everything[-1].body, StateChanged)
