"""A network bridge with a subnet of its own for one private daemon.

The daemon is told to leave iptables alone (a starting dockerd rebuilds the chains that all daemons of a host share),
so the three rules its containers need to reach the network are made and removed here, marked with the bridge's name.
"""

from __future__ import annotations

import json
import shlex
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

from deploy.local.processes import PartError

_CANDIDATES = IPv4Network("172.30.0.0/15")  # the far end of what Docker itself hands out
_TABLES = ("filter", "nat")


@dataclass(frozen=True)
class Bridge:
    """A bridge that exists; `subnet` is what its containers get addresses from."""

    name: str
    subnet: IPv4Network


def create(name: str) -> Bridge:
    """Make the bridge `name` with a free subnet and its rules; raises PartError. Call it under the host's lock."""
    bridge = Bridge(name, free_subnet(_used_networks()))
    try:
        _run("ip", "link", "add", name, "type", "bridge")
        _run("ip", "addr", "add", f"{bridge.subnet[1]}/{bridge.subnet.prefixlen}", "dev", name)
        _run("ip", "link", "set", name, "up")
        for rule in _rules(bridge):
            _run("iptables", "-w", *rule)
    except PartError:
        remove(name)
        raise
    return bridge


def remove(name: str) -> None:
    """Remove the bridge `name` and every rule that speaks of it, as far as they are there."""
    for table in _TABLES:
        listing = _run("iptables", "-w", "-t", table, "-S", check=False)
        for line in listing.splitlines():
            words = shlex.split(line)
            if words[:1] == ["-A"] and name in words:
                _run("iptables", "-w", "-t", table, "-D", *words[1:], check=False)
    if name in names():
        _run("ip", "link", "del", name, check=False)


def address(name: str) -> str:
    """This host's own address on the bridge `name`; raises PartError if there is no such bridge."""
    found = json.loads(_run("ip", "-json", "-4", "address", "show", "dev", name))
    return str(found[0]["addr_info"][0]["local"])


def names() -> list[str]:
    """Names of all network interfaces of this host."""
    return [entry.name for entry in Path("/sys/class/net").iterdir()]


def free_subnet(used: Iterable[IPv4Network]) -> IPv4Network:
    """Return a /24 that overlaps none of `used`; raises PartError if there is none."""
    taken = list(used)
    for candidate in _CANDIDATES.subnets(new_prefix=24):
        if not any(candidate.overlaps(network) for network in taken):
            return candidate
    raise PartError(f"no free subnet in {_CANDIDATES} for a private dockerd")


def _used_networks() -> list[IPv4Network]:
    routes = json.loads(_run("ip", "-json", "-4", "route", "show", "table", "all") or "[]")
    return [IPv4Network(route["dst"], strict=False) for route in routes if route["dst"][0].isdigit()]


def _rules(bridge: Bridge) -> list[list[str]]:
    mark = ["-m", "comment", "--comment", bridge.name]
    answers = ["-m", "conntrack", "--ctstate", "RELATED,ESTABLISHED"]
    subnet = str(bridge.subnet)
    return [
        ["-I", "FORWARD", "-i", bridge.name, *mark, "-j", "ACCEPT"],
        ["-I", "FORWARD", "-o", bridge.name, *answers, *mark, "-j", "ACCEPT"],
        ["-t", "nat", "-I", "POSTROUTING", "-s", subnet, "!", "-o", bridge.name, *mark, "-j", "MASQUERADE"],
    ]


def _run(*command: str, check: bool = True) -> str:
    """Run a command and return its output; with `check`, raise PartError with what it complained of."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise PartError(f"{command[0]} could not be run: {error}") from error
    if check and done.returncode != 0:
        raise PartError(f"`{shlex.join(command)}` failed: {done.stderr.strip()}")
    return done.stdout
