"""`shipway build` against `docker build` with BuildKit and with the classic builder, on the same daemon."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from bench.lab import SHIPWAY, Lab, run, say, timed
from bench.report import Row, Score, Unit
from bench.workloads import HEAVY, QUICK_HEAVY, QUICK_WIDE, SMALL, WIDE, Shape, Tree

_SENT = re.compile(r"context ([0-9.e+]+)([kMG]?)B")
_UNITS = {"": 1, "k": 1e3, "M": 1e6, "G": 1e9}
GOALS = {"cold": 1.15, "one file changed": 1.05, "nothing changed": 1.0}
HEAVY_GOAL = 1.3
PUSH_GOAL = 0.5
SENT_GOAL = 2 * 2**20
"""Bytes that may be sent for one changed file."""


@dataclass(frozen=True, slots=True)
class Peer:
    """Someone who builds.

    Attributes:
        name: as it stands in the table; part of its images' names, so that each has its own.
        command: builds a directory under a tag, pushing it or not.
        env: in which the command runs.
    """

    name: str
    command: Callable[[str, str, bool], Sequence[str]]
    env: Mapping[str, str]

    def build(self, tree: Tree, tag: str, *, push: bool = False) -> float:
        """Return how long it took in seconds; raises PartError."""
        return timed(self.command(str(tree.root), tag, push), self.env)


def measure(lab: Lab) -> Iterator[Row]:
    """Small and wide trees cold, unchanged and with one change; a heavy tree cold."""
    wide, heavy = (QUICK_WIDE, QUICK_HEAVY) if lab.quick else (WIDE, HEAVY)
    for shape in (SMALL, wide):
        yield from _Builds(lab, shape).all()
    yield from _Builds(lab, heavy).cold(HEAVY_GOAL)


class _Builds:
    def __init__(self, lab: Lab, shape: Shape) -> None:
        self._lab = lab
        self._tree = Tree(lab.folder / "tree", shape)
        self._peers = [_shipway(lab), _docker(lab, buildkit=True), _docker(lab, buildkit=False)]

    def all(self) -> Iterator[Row]:
        yield from self.cold(GOALS["cold"])
        for peer in self._peers:
            peer.build(self._tree, self._tag(peer))
        yield from self._rows("one file changed", self._one_changed, GOALS["one file changed"])
        if self._tree.shape.files > SMALL.files:
            yield self._sent()
        for peer in self._peers:  # each has built some change, but only one of them the last
            peer.build(self._tree, self._tag(peer))
        yield from self._rows("nothing changed", self._unchanged, GOALS["nothing changed"])
        if self._tree.shape.files > SMALL.files:
            for peer in self._peers:
                peer.build(self._tree, self._tag(peer), push=True)
            yield from self._rows("nothing changed, push", self._pushed, PUSH_GOAL)

    def cold(self, goal: float) -> Iterator[Row]:
        """Every byte of the tree new, every image and cache of the daemon gone."""
        yield from self._rows("cold", self._cold, goal)

    def _rows(self, case: str, build: Callable[[Peer], float], goal: float) -> Iterator[Row]:
        name = f"{self._tree.shape.name}, {case}"
        say(f"builds: {name}")
        ours, *others = self._peers
        for peer in others:  # in pairs: what a build leaves behind in a daemon is in the way of the next one
            samples = self._lab.alternating({one.name: partial(build, one) for one in (ours, peer)})
            yield Row(name, peer.name, samples[ours.name], samples[peer.name], goal)

    def _cold(self, peer: Peer) -> float:
        self._tree.renew()
        self._lab.dockerd.docker("image", "rm", "--force", self._tag(peer))
        self._lab.dockerd.docker("builder", "prune", "--all", "--force")
        return peer.build(self._tree, self._tag(peer))

    def _one_changed(self, peer: Peer) -> float:
        self._tree.change_one()
        return peer.build(self._tree, self._tag(peer))

    def _unchanged(self, peer: Peer) -> float:
        return peer.build(self._tree, self._tag(peer))

    def _pushed(self, peer: Peer) -> float:
        return peer.build(self._tree, self._tag(peer), push=True)

    def _sent(self) -> Row:
        """How much the client uploads for one changed file, by its own account."""
        self._tree.change_one()
        ours = self._peers[0]
        command = [*ours.command(str(self._tree.root), self._tag(ours), False), "--progress", "plain"]
        sent = _bytes_sent(run(command, ours.env)[1])
        name = f"{self._tree.shape.name}, one file changed, sent"
        return Row(name, "", [sent], [], SENT_GOAL, Score.VALUE, Unit.BYTES)

    def _tag(self, peer: Peer) -> str:
        workload = self._tree.shape.name.split()[0]
        return f"{self._lab.registry.address}/{peer.name.replace(' ', '-')}/{workload}:bench"


def _shipway(lab: Lab) -> Peer:
    def command(root: str, tag: str, push: bool) -> list[str]:
        return [SHIPWAY, "build", root, "-t", tag, *(["--push"] if push else [])]

    return Peer("shipway", command, lab.shipway_env)


def _docker(lab: Lab, *, buildkit: bool) -> Peer:
    def command(root: str, tag: str, push: bool) -> list[str]:
        build = [lab.docker, "build", root, "-t", tag]
        if not push:
            return build
        return ["sh", "-c", f"{shlex.join(build)} && {shlex.join([lab.docker, 'push', tag])}"]

    env = {**lab.docker_env, "DOCKER_BUILDKIT": str(int(buildkit))}
    return Peer("docker buildkit" if buildkit else "docker classic", command, env)


def _bytes_sent(told: str) -> float:
    found = _SENT.search(told)
    return float(found[1]) * _UNITS[found[2]] if found else 0.0
