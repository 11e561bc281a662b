"""The seeded random driver: builds under faults at random times, then every invariant looked at from outside."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from deploy.local.waiting import wait_until
from shipway.models.event import Event
from shipway.models.job import Job, JobState
from shipway.storage import keys
from tests.chaos.faults import KINDS, Kind
from tests.chaos.fleet import NAMES, Fleet, talk
from tests.chaos.following import cancel_anywhere, follow_anywhere, submit_anywhere, upload_anywhere
from tests.chaos.invariants import broken
from tests.integration.contexts import script, tar_of
from tests.integration.leftovers import containers, endless, processes_with

JOBS = 6
"""Builds per round."""
TWINS = 0.3
"""Which part of the builds are the same as the one before."""
SPREAD = 6.0
"""Seconds over which builds and faults of a round begin."""
LONGEST = 9.0
"""Seconds that a fault lasts at most: more than two leases of the fleet."""
HANDS = ThreadPoolExecutor(4, thread_name_prefix="harm")
"""Threads that last as long as the process: what they start again gets SIGTERM when the thread ends (see `Child`)."""
FAULTS_OF_MACHINES = frozenset({
    *("worker-lost", "daemon-lost", "daemon-unreachable", "build-stream-ended", "build-interrupted", "build-error"),
    *("registry-unreachable", "registry-error", "push-stream-ended", "store-unavailable"),
})  # fmt: skip
"""What a build that nothing is wrong with may fail by, when it was hit again and again."""


@dataclass(frozen=True)
class Order:
    """One build of the load: when it is asked for, and how it has to end.

    `key` is its own, as is its image's name; twins, of which the service runs one, have the same `word`.
    """

    key: str
    word: str
    wait: float
    kind: str
    seconds: float
    cancel_after: float


@dataclass
class Round:
    """What a round did and what was seen."""

    number: int
    faults: list[str] = field(default_factory=list)
    seconds: float = 0.0
    outcomes: Counter[str] = field(default_factory=Counter)
    attempts: int = 0
    violations: list[str] = field(default_factory=list)


class Driver:
    """Drives a fleet; the same seed gives the same orders and faults."""

    def __init__(self, fleet: Fleet, seed: int) -> None:
        self._fleet = fleet
        self._rng = random.Random(seed)

    def round(self, number: int) -> Round:
        """One round: whole fleet, load and faults, whole fleet, invariants."""
        self._fleet.heal()
        done = Round(number)
        began = time.monotonic()
        orders = self._orders(number)
        faults = [self._fault() for _ in range(self._rng.choice([1, 2, 2, 3]))]
        done.faults = [f"{kind.name} {duration:.0f} s" for kind, _, duration, _ in faults]
        harm = [HANDS.submit(self._harm, *fault) for fault in faults]
        with ThreadPoolExecutor(len(orders)) as pool:
            ended = [(order, pool.submit(self._carry_out, order, way % 2)) for way, order in enumerate(orders)]
        done.violations += [f"the fault could not be made: {f.exception()!r}" for f in harm if f.exception()]
        self._fleet.heal()
        for order, future in ended:
            self._judge(order, future, done)
        done.violations += self._leftovers([order.word for order in orders])
        done.seconds = time.monotonic() - began
        return done

    def _orders(self, number: int) -> list[Order]:
        """Some of them are the same build as the one before."""
        orders: list[Order] = []
        for which in range(JOBS):
            order = self._order(number, which)
            if orders and self._rng.random() < TWINS:
                order = self._twin(orders[-1], order)
            orders.append(order)
        return orders

    def _order(self, number: int, which: int) -> Order:
        rng = self._rng
        kind = rng.choice(["good", "good", "good", "good", "bad", "cancelled"])
        key = f"chaos{number}x{which}x{rng.randrange(2**48):x}"
        return Order(key, key, rng.uniform(0, SPREAD), kind, rng.choice([0.5, 1, 2, 4]), rng.uniform(0, 3))

    @staticmethod
    def _twin(of: Order, order: Order) -> Order:
        """The same build, asked for at another time; it fails if the other does, and may be cancelled alone."""
        kind = "bad" if of.kind == "bad" else order.kind.replace("bad", "good")
        return replace(order, word=of.word, seconds=of.seconds, kind=kind)

    def _fault(self) -> tuple[Kind, float, float, random.Random]:
        rng = self._rng
        own = random.Random(rng.randrange(2**32))  # threads must not share one
        return rng.choice(KINDS), rng.uniform(0.5, SPREAD), rng.uniform(0.2, LONGEST), own

    def _harm(self, kind: Kind, wait: float, duration: float, rng: random.Random) -> None:
        time.sleep(wait)
        kind.make(self._fleet, rng, duration)

    def _carry_out(self, order: Order, way: int) -> tuple[Job, list[Event]]:
        """Upload, submit, follow to the end, through whichever replica answers."""
        time.sleep(order.wait)
        replicas = self._fleet.services[way:] + self._fleet.services[:way]
        files = talk(order.seconds, order.word)
        if order.kind == "bad":
            files = script("FROM base", f"RUN echo {order.word}; exit 3")
        body = {
            "context": upload_anywhere(replicas, tar_of(files)),
            "tags": [self._fleet.tag(order.key)],
            "push": True,
        }
        job = submit_anywhere(replicas, body, order.key)
        if order.kind == "cancelled":
            threading.Timer(order.cancel_after, cancel_anywhere, [replicas, job.id]).start()
        events = follow_anywhere(replicas, job.id)
        assert submit_anywhere(replicas, body, order.key).id == job.id
        return job, events

    def _judge(self, order: Order, future: Future[tuple[Job, list[Event]]], done: Round) -> None:
        if error := future.exception():
            done.violations.append(f"{order.key}: {error!r}")
            return
        job, events = future.result()
        ended = self._fleet.api.job(job.id)
        slug = ended.error.slug if ended.error else str(ended.state)
        done.outcomes[slug] += 1
        done.attempts += ended.attempt
        done.violations += broken(self._fleet.api, job.id)
        if [event.seq for event in events] != list(range(1, ended.events + 1)):
            done.violations.append(f"{job.id}: its follower saw {[event.seq for event in events]} of {ended.events}")
        if not _as_ordered(order, ended.state, slug):
            done.violations.append(f"{job.id}: a {order.kind} build ended as {slug}: {ended.error}")

    def _leftovers(self, words: list[str]) -> list[str]:
        found = []
        for name, daemon in self._fleet.daemons.items():
            if not wait_until(lambda daemon=daemon: not containers(daemon), 20, every=0.5):  # type: ignore[misc]
                found.append(f"containers are left on {name}: {containers(daemon)}")
        if not wait_until(lambda: not any(map(processes_with, words)), 20):
            found.append(f"steps still run: {[word for word in words if processes_with(word)]}")
        if not wait_until(lambda: not self._kept(), 20):
            found.append(f"Redis still has {self._kept()}")
        return found

    def _kept(self) -> set[str]:
        """Keys that nothing of an ended job may leave: those that drive recovery, secrets, and any without an end."""
        with self._fleet.records() as redis:
            running = {key for key in (keys.QUEUED, keys.RUNNING) if redis.zcard(key)}
            running |= {key for key in map(keys.worker_jobs, NAMES) if redis.scard(key)}
            return running | set(redis.scan_iter(keys.credentials("*"))) | endless(self._fleet.redis.url)


def _as_ordered(order: Order, state: JobState, slug: str) -> bool:
    """Whether a build ended as it had to, or for a reason that faults excuse."""
    if slug in FAULTS_OF_MACHINES:
        return True
    allowed = {"good": {"succeeded"}, "bad": {"step-failed"}, "cancelled": {"cancelled", "succeeded"}}
    return slug in allowed[order.kind] and state.final
