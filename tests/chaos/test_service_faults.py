"""Replicas of the service that die, and a store that is full: followers and uploads know what they have."""

from __future__ import annotations

import os
import time
from concurrent.futures import ThreadPoolExecutor

from shipway.models.job import JobState
from tests.chaos.conftest import Measured
from tests.chaos.fleet import Fleet, talk
from tests.chaos.following import follow_anywhere
from tests.chaos.invariants import broken
from tests.chaos.small_disk import MIB, SmallDisk
from tests.integration.contexts import once, script, tar_of
from tests.integration.http_api import TAR


def test_followers_survive_the_death_of_each_replica(fleet: Fleet, measured: Measured) -> None:
    replicas = fleet.services
    job = fleet.api.submit(talk(8), tags=[fleet.tag()], push=True)
    with ThreadPoolExecutor() as pool:
        followers = [pool.submit(follow_anywhere, replicas[way:] + replicas[:way], job.id) for way in (0, 1, 0, 1)]
        fleet.apis[0].wait_for_text(job.id, "line 3")
        for service in fleet.services:
            service.child.kill()
            killed = time.monotonic()
            service.start()
            measured("until a replica served again", time.monotonic() - killed)
        seen = [follower.result() for follower in followers]

    assert fleet.api.job(job.id).state is JobState.SUCCEEDED
    assert broken(fleet.api, job.id) == []
    assert [[e.seq for e in events] for events in seen] == [list(range(1, fleet.api.job(job.id).events + 1))] * 4


def test_full_object_store_refuses_an_upload_and_keeps_no_half_of_it(fleet: Fleet) -> None:
    small, large = script("FROM base", f"RUN echo {once()}"), {"big": os.urandom(24 * MIB)}
    with SmallDisk(fleet.store, 16):
        context = fleet.api.upload(small)
        before = {path for path in fleet.store.rglob("*") if path.is_file()}
        refused = [
            fleet.api.http.post(path, content=tar_of(large), headers=TAR) for path in ("/v1/contexts", "/v1/builds?t=a")
        ]
        left = {path for path in fleet.store.rglob("*") if path.is_file()}
        job = fleet.api.http.post("/v1/builds", json={"context": context})
        ended = fleet.api.wait(job.json()["id"])

    for answer in refused:
        assert (answer.status_code, answer.json()["error"]["slug"]) == (503, "store-unavailable")
        assert answer.headers["Retry-After"].isdigit()
    assert left == before
    assert ended.state is JobState.SUCCEEDED


def test_job_ends_well_though_its_events_find_no_room_in_the_store(fleet: Fleet) -> None:
    with SmallDisk(fleet.store, 16) as disk:
        context = fleet.api.upload(talk(2))
        job = fleet.api.http.post("/v1/builds", json={"context": context}).json()["id"]
        fleet.api.wait_for_text(job, "line 2")
        with disk.filled(leaving=0):
            ended = fleet.api.wait(job)

            assert ended.state is JobState.SUCCEEDED
            assert broken(fleet.api, job) == []
