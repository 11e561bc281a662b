"""Reads the arguments that have a grammar of their own. Light: nothing here imports the client."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

from shipway.cli.command import ArgumentError

_DURATION = r"(?P<number>[0-9]+(?:\.[0-9]+)?)(?P<unit>s|m|h|d|)"
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3600, "d": 86_400}


_SIZE = r"(?P<number>[0-9]+(?:\.[0-9]+)?)\s*(?:(?P<unit>[kmgt])?i?b?)"


def build_args(given: Iterable[str], environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """`--build-arg K=V`, or `K` alone for the value of the environment; one that isn't set there is left out."""
    found: dict[str, str] = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not name:
            raise ArgumentError(f"--build-arg {text!r}: expected NAME=VALUE or NAME")
        if equals:
            found[name] = value
        elif name in environment:
            found[name] = environment[name]
    return found


def labels(given: Iterable[str]) -> dict[str, str]:
    """`--label K=V`, or `K` alone for an empty value."""
    found: dict[str, str] = {}
    for text in given:
        name, _, value = text.partition("=")
        if not name:
            raise ArgumentError(f"--label {text!r}: expected NAME=VALUE or NAME")
        found[name] = value
    return found


def secrets(given: Iterable[str], environment: Mapping[str, str] = os.environ) -> dict[str, bytes]:
    """`--secret id=ID[,src=FILE|,env=NAME]`; with the id alone, the variable or else the file of that name.

    Docker's grammar, `type=file|env` and `source=` included. Returns the values; they are read now.
    """
    found: dict[str, bytes] = {}
    for text in given:
        fields = _fields(text, "--secret")
        unknown = fields.keys() - {"id", "src", "source", "env", "type"}
        if unknown or "id" not in fields:
            raise ArgumentError(f"--secret {text!r}: expected id=ID[,src=FILE] or id=ID,env=NAME")
        found[fields["id"]] = _secret(fields, environment)
    return found


class SshSources(NamedTuple):
    """Where ssh agents for steps come from: `keys` of agents that the worker plays, sockets of `agents` here."""

    keys: dict[str, list[bytes]]
    agents: dict[str, Path]


def ssh(given: Iterable[str], environment: Mapping[str, str] = os.environ) -> SshSources:
    """`--ssh ID[=SOCKET|KEYFILE[,KEYFILE…]]`, as docker has it; ID alone is the agent at `SSH_AUTH_SOCK`.

    Keys are read now.
    """
    found = SshSources({}, {})
    for text in given:
        name, _, files = text.partition("=")
        paths = [Path(file).expanduser() for file in (files or environment.get("SSH_AUTH_SOCK", "")).split(",") if file]
        if not name or not paths:
            raise ArgumentError(
                f"--ssh {text!r}: there is no ssh agent (SSH_AUTH_SOCK is not set), and no key is named"
            )
        if len(paths) == 1 and paths[0].is_socket():
            found.agents[name] = paths[0]
        else:
            found.keys[name] = [_content(path, f"--ssh {name}") for path in paths]
    return found


def build_contexts(given: Iterable[str]) -> dict[str, str]:
    """`--build-context NAME=SOURCE`."""
    return dict(_pair(text, "=", f"--build-context {text!r}: expected NAME=SOURCE") for text in given)


def copies(given: Iterable[str]) -> list[tuple[str, str]]:
    """`--copy SRC:DST`; only the last colon counts, a path in a container rarely has one."""
    return [_pair(text, ":", f"--copy {text!r}: expected SRC:DST") for text in given]


def workers(text: str) -> str | list[str]:
    """`--workers any|all|NAME,…`."""
    if text in ("any", "all"):
        return text
    names = [name.strip() for name in text.split(",")]
    if not all(names):
        raise ArgumentError(f"--workers {text!r}: expected any, all, or names with commas between them")
    return names


def size(text: str) -> int:
    """`10GB`, `512m` or bytes, as Docker reads them: units are powers of 1024."""
    match = re.fullmatch(_SIZE, text.strip().lower())
    if match is None:
        raise ArgumentError(f"{text!r} is no size: expected bytes, or a number with k, m, g or t")
    return int(float(match["number"]) * 1024 ** " kmgt".index(match["unit"] or " "))


def cache_from(given: Iterable[str]) -> list[str]:
    """`--cache-from REFERENCE`, or `type=registry,ref=REFERENCE`."""
    found: list[str] = []
    for text in given:
        if "=" not in text:
            found.append(text)
            continue
        fields = _fields(text, "--cache-from")
        if fields.get("type", "registry") != "registry" or "ref" not in fields:
            raise ArgumentError(f"--cache-from {text!r}: only images in registries are supported")
        found.append(fields["ref"])
    return found


def cache_to(given: str | None) -> tuple[str | None, str]:
    """`--cache-to REFERENCE`, or `type=registry,ref=REFERENCE[,mode=min|max]`: the name, and which steps are kept."""
    if given is None or "=" not in given:
        return given, "min"
    fields = _fields(given, "--cache-to")
    mode = fields.get("mode", "min")
    if fields.get("type", "registry") != "registry" or "ref" not in fields or mode not in ("min", "max"):
        raise ArgumentError(f"--cache-to {given!r}: expected a name, or type=registry,ref=NAME[,mode=max]")
    return fields["ref"], mode


SCANNER = "docker/buildkit-syft-scanner:stable-1"
"""What Docker's own client has list the contents of an image."""


def provenance(given: str | None) -> str | None:
    """`--provenance true|false|mode=min|mode=max`."""
    modes = {None: None, "false": None, "true": "min", "mode=min": "min", "mode=max": "max"}
    if given not in modes:
        raise ArgumentError(f"--provenance {given!r}: true, false, mode=min or mode=max")
    return modes[given]


def sbom(given: str | None) -> str | None:
    """`--sbom true|false|generator=IMAGE`: the image of a scanner."""
    if given is None or given in ("true", "false"):
        return SCANNER if given == "true" else None
    generator = _fields(given, "--sbom").get("generator")
    if not generator:
        raise ArgumentError(f"--sbom {given!r}: true, false or generator=IMAGE")
    return generator


class ImageFilters(NamedTuple):
    """Which images are wanted: with or without a name, and of a name that fits one of some patterns."""

    dangling: bool | None
    references: list[str]


def image_filters(given: Iterable[str]) -> ImageFilters:
    """`--filter dangling=true|false`, `--filter reference=PATTERN`."""
    pairs = [_pair(text, "=", f"--filter {text!r}: expected dangling=true or reference=PATTERN") for text in given]
    states = {value.lower() for name, value in pairs if name == "dangling"}
    if len(states) > 1 or not states <= {"true", "false"} or {name for name, _ in pairs} - {"dangling", "reference"}:
        raise ArgumentError("--filter: expected dangling=true, dangling=false or reference=PATTERN")
    dangling = states.pop() == "true" if states else None
    return ImageFilters(dangling, [value for name, value in pairs if name == "reference"])


def duration(text: str, option: str = "--timeout") -> float:
    """`90`, `90s`, `15m`, `2h` or `30d`, in seconds."""
    match = re.fullmatch(_DURATION, text.strip())
    if match is None or float(match["number"]) <= 0:
        raise ArgumentError(f"{option} {text!r}: expected seconds, or a number with s, m, h or d")
    return float(match["number"]) * _UNITS[match["unit"]]


def _pair(text: str, mark: str, complaint: str) -> tuple[str, str]:
    left, _, right = text.rpartition(mark) if mark == ":" else text.partition(mark)
    if not left or not right:
        raise ArgumentError(complaint)
    return left, right


def _fields(text: str, option: str) -> dict[str, str]:
    import csv  # noqa: PLC0415  (seldom needed)

    fields: dict[str, str] = {}
    for word in next(csv.reader([text]), []):
        name, equals, value = word.partition("=")
        if not equals or not value:
            raise ArgumentError(f"{option} {text!r}: {word!r} is not NAME=VALUE")
        fields[name.strip().lower()] = value
    return fields


def _secret(fields: Mapping[str, str], environment: Mapping[str, str]) -> bytes:
    file, variable = fields.get("src") or fields.get("source"), fields.get("env")
    kind = fields.get("type")
    if kind not in (None, "file", "env"):
        raise ArgumentError(f"--secret: type {kind!r} is neither file nor env")
    if kind == "env" and not variable:
        file, variable = None, file or fields["id"]
    if variable is None and file is None and kind is None and fields["id"] in environment:
        variable = fields["id"]
    if variable is not None:
        if variable not in environment:
            raise ArgumentError(f"--secret {fields['id']}: the environment has no variable {variable}")
        return environment[variable].encode()
    return _content(Path(file or fields["id"]).expanduser(), f"--secret {fields['id']}")


def _content(path: Path, option: str) -> bytes:
    try:
        return path.read_bytes()
    except OSError as fault:
        raise ArgumentError(f"{option}: {path} can't be read: {fault.strerror}") from fault
