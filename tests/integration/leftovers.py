"""What a job may leave behind where it must leave nothing: in the daemon, among processes, in the store, in Redis."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fnmatch import fnmatch
from functools import partial
from pathlib import Path
from typing import NamedTuple

import redis

from deploy.local.dockerd import Dockerd
from deploy.local.stack import Stack
from deploy.local.waiting import wait_until
from shipway.storage import keys


def processes_with(word: str) -> list[int]:
    """Ids of all processes of this machine with a word among their arguments."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                arguments = (entry / "cmdline").read_bytes()
            except OSError:  # it ended meanwhile
                continue
            if word.encode() in arguments and b"pytest" not in arguments:
                found.append(int(entry.name))
    return found


def containers(dockerd: Dockerd) -> list[str]:
    """Ids of all containers of a daemon, running or not."""
    return dockerd.docker("ps", "--all", "--quiet").stdout.split()


def tags(dockerd: Dockerd) -> set[str]:
    """Names of all images of a daemon."""
    listed = dockerd.docker("images", "--format", "{{.Repository}}:{{.Tag}}").stdout.split()
    return {name for name in listed if "<none>" not in name}


def images(dockerd: Dockerd) -> set[str]:
    """Ids of all images of a daemon, those without a name included, but not those that are only steps of others."""
    return set(dockerd.docker("images", "--quiet", "--no-trunc").stdout.split())


def orphans(stack: Stack) -> set[str]:
    """Files of the object store that nothing will ever remove."""
    with redis.Redis.from_url(stack.redis.url, decode_responses=True) as connection:
        due = {str(path) for path in connection.zrange("shipway:expiring", 0, -1)}
    store = stack.shared.store
    files = {path.relative_to(store).as_posix() for path in store.rglob("*") if path.is_file()}
    return files - due


@contextmanager
def nothing_left(stack: Stack, *daemons: Dockerd) -> Iterator[None]:
    """Fail unless what happens inside leaves every daemon as it was, and no orphan in the object store."""
    before = [(set(containers(daemon)), images(daemon), tags(daemon)) for daemon in daemons]
    yield
    for daemon, (its_containers, its_images, its_tags) in zip(daemons, before, strict=True):
        assert wait_until(partial(_no_more_than, daemon, its_containers), 10), containers(daemon)
        assert images(daemon) <= its_images
        assert tags(daemon) <= its_tags
    assert wait_until(lambda: not orphans(stack), 10), orphans(stack)


def _no_more_than(daemon: Dockerd, known: set[str]) -> bool:
    return set(containers(daemon)) <= known


CELERYS = ("_kombu.binding*", "unacked*", "shipway", "shipway\x06*", "shipway.worker.*", "shipway.pool.*")
"""Celery's own keys: its bindings, its unacknowledged messages, and a list for each queue and priority."""


def endless(url: str) -> set[str]:
    """Keys of a Redis that will never go, though they are none of the named few that may stay."""
    with redis.Redis.from_url(url, decode_responses=True) as connection:
        names = [str(key) for key in connection.scan_iter(count=1000)]
        pipe = connection.pipeline(transaction=False)
        for name in names:
            pipe.ttl(name)
        immortal = {name for name, ttl in zip(names, pipe.execute(), strict=True) if ttl == -1}
    return {name for name in immortal if not any(fnmatch(name, known) for known in (*keys.PERSISTENT, *CELERYS))}


class Kept(NamedTuple):
    """All that a service keeps: files in the object store, keys of jobs in Redis."""

    files: frozenset[str]
    keys: frozenset[str]


def kept(stack: Stack) -> Kept:
    """List what a stack's service keeps now."""
    store = stack.shared.store
    with redis.Redis.from_url(stack.redis.url, decode_responses=True) as connection:
        names = [*connection.scan_iter("shipway:job:*"), *connection.scan_iter("shipway:idempotency:*")]
        listed = connection.zrange("shipway:jobs:default", 0, -1)
    # The events of an earlier job may be archived just now: that is no trace of what is looked at here.
    files = (str(path) for path in store.rglob("*") if path.is_file() and not path.name.startswith("events-"))
    return Kept(frozenset(files), frozenset([*map(str, names), *map(str, listed)]))
