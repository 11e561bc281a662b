"""What a client says is in a context whose packs it has sent: JSON lines, one array per entry, in depth-first order.

`[path, type, mode, size, mtime_ns, link, content, pack]`. The content of a file is the SHA-256 (hexadecimal) of each
of its parts, as a list; that of one of at most 8 MiB is one digest. `pack` numbers the pack that a small content lies
in; the members of a pack are the contents that were said to lie in it, each once, in the order in which they were. A
content in several parts, or in none, lies in packs of its own and has -1.

A listing may say what is different from a context that is there. Then `[path]` removes an entry and all below it, and
the other lines put entries in. All contents of each pack that they name have to be among them.

So a listing makes no claim about places: where a content lies follows from names, and a pack has a name only once its
members were checked. A listing that lies names packs that aren't there.
"""

from __future__ import annotations

import json
import re
from typing import Any

from shipway.context.contents import PART, content_digest
from shipway.context.limits import MIB, Limits
from shipway.context.packs import MAX_MEMBERS, Member, Pack
from shipway.context.paths import clean_path, decode_name, shown
from shipway.context.tree import EntryTree
from shipway.exceptions import ContextError
from shipway.models.context import DIR, FILE, SYMLINK, Entry, Manifest

ALONE = -1
"""The number of no pack: a content's parts are packs of their own."""
MAX_LINE = 4 * MIB
"""Bytes of one line: the digests of a file of hundreds of GiB fit."""
_DIGEST = re.compile(r"[0-9a-f]{64}")
_FIELDS = 8
_MODES = 0o7777
_TIMES = 1 << 63
_BLOCK = 512


class ListingReader:
    """Takes a listing in chunks of any size and makes the manifest of it.

    What it may hold is what a tar may hold, under the same limits and with the same slugs (see `TarIndexer`).
    `listing-invalid` (ContextError) is what could not even be said in a tar.

    Args:
        limits: of the context.
        base: the context that the listing changes, if it does.
    """

    def __init__(self, limits: Limits, base: Manifest | None = None) -> None:
        self._limits = limits
        self._base = base
        self._tree = EntryTree(limits, base or ())
        self._rest = b""
        self._bytes = 0
        self._packs: dict[int, list[Member]] = {}
        self._places: dict[Member, tuple[int, int]] = {}
        self._filled: dict[int, int] = {}

    def feed(self, chunk: bytes) -> None:
        """Read the next bytes."""
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        for fields in _read(lines):
            self._line(fields)
        if len(self._rest) > MAX_LINE:
            raise _invalid("a line is too long")

    def finish(self) -> Manifest:
        """Return the manifest, at the end of the listing."""
        if self._rest:
            raise ContextError("the listing breaks off inside a line", slug="context-truncated")
        if self._base is not None:
            self._tree.recount()
            self._limits.check_bytes(sum(map(_tar_bytes, self._tree)))
        names = {number: Pack(tuple(members)).name for number, members in self._packs.items()}
        return Manifest((_placed(entry, names) for entry in self._tree), self._base)

    def _line(self, fields: Any) -> None:
        if not isinstance(fields, list):
            raise _invalid("a line is no array")
        if self._base is not None and len(fields) == 1:
            self._tree.remove(clean_path(self._text(fields[0]), self._limits))
            return
        if len(fields) != _FIELDS:
            raise _invalid(f"a line is no array of {_FIELDS}")
        name, kind, mode, size, mtime, link, content, pack = fields
        path = clean_path(self._text(name), self._limits)
        if not path:
            raise _invalid("an entry has no path")
        _check_numbers(path, mode, size, mtime, pack)
        self._bytes += _BLOCK + size + -size % _BLOCK  # what a tar of it would have
        self._limits.check_bytes(self._bytes)
        target = self._text(link) if link != "" else ""
        self._tree.put(self._entry(path, kind, mode, size, mtime, target, content, pack))

    def _text(self, value: Any) -> str:
        if not isinstance(value, str):
            raise _invalid("a path or a link is no text")
        if value.isascii() and len(value) <= self._limits.max_path and "\0" not in value:
            return value
        return decode_name(value.encode(errors="surrogatepass"), self._limits)

    def _entry(
        self, path: str, kind: Any, mode: int, size: int, mtime: int, link: str, content: Any, pack: int
    ) -> Entry:
        if kind == FILE and not link:
            return self._file(path, mode, size, mtime, content, pack)
        if size or content != []:
            raise _invalid(f"{shown(path)} has a content and is no file")
        if kind == SYMLINK and link:
            return Entry(path, SYMLINK, 0o777, 0, mtime, link)
        if kind == DIR and not link:
            return Entry(path, DIR, mode, 0, mtime)
        raise _invalid(f"{shown(path)} is of no known type, or is not what its link says")

    def _file(self, path: str, mode: int, size: int, mtime: int, content: Any, pack: int) -> Entry:
        members = _members(path, size, content)
        digest = content_digest([member.digest for member in members])
        blob, offset = "", 0
        parts: tuple[str, ...] = ()
        if len(members) > 1:
            parts = tuple(Pack((member,)).name for member in members)
        elif members and pack == ALONE:
            blob = Pack((members[0],)).name
        elif members:
            number, offset = self._place(members[0], pack)
            blob, parts = str(number), _NUMBERED
        return Entry(path, FILE, mode, size, mtime, "", digest, blob, offset, parts)

    def _place(self, member: Member, pack: int) -> tuple[int, int]:
        """Where a small content lies: in the pack in which it was first said to be."""
        place = self._places.get(member)
        if place is None:
            place = self._places[member] = (pack, self._filled.get(pack, 0))
            self._filled[pack] = place[1] + member.size
            members = self._packs.setdefault(pack, [])
            members.append(member)
            if self._filled[pack] > PART or len(members) > MAX_MEMBERS:
                raise _invalid("a pack holds more than a pack can")
        return place


_NUMBERED = ("",)
"""Marks an entry whose blob is still a number: the pack's name is known once all its members are."""


def _tar_bytes(entry: Entry) -> int:
    """What a tar of it would have."""
    return _BLOCK + entry.size + -entry.size % _BLOCK


def _placed(entry: Entry, names: dict[int, str]) -> Entry:
    if entry.parts is not _NUMBERED:
        return entry
    path, kind, mode, size, mtime, link, digest, number, offset, _ = entry
    return Entry(path, kind, mode, size, mtime, link, digest, names[int(number)], offset)


def _read(lines: list[bytes]) -> list[Any]:
    """What lines of JSON say, all read as one document: that takes a third of the time."""
    try:
        rows: list[Any] = json.loads(b"[%b]" % b",".join(lines))
    except (ValueError, RecursionError):
        raise _invalid("a line is no JSON") from None
    if len(rows) != len(lines):
        raise _invalid("a line is no JSON")
    return rows


def _members(path: str, size: int, content: Any) -> list[Member]:
    """The parts of a file's content."""
    if not isinstance(content, list) or len(content) != -(-size // PART):
        raise _invalid(f"the content of {shown(path)} is not what its size asks for")
    members = []
    for digest in content:
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise _invalid(f"the content of {shown(path)} has a digest that is none")
        members.append(Member(min(size, PART), bytes.fromhex(digest)))
        size -= PART
    return members


def _check_numbers(path: str, mode: Any, size: Any, mtime: Any, pack: Any) -> None:
    if not type(mode) is type(size) is type(mtime) is type(pack) is int:
        raise _invalid(f"{shown(path)} has a number that is none")
    if not (0 <= mode <= _MODES and size >= 0 and -_TIMES <= mtime < _TIMES and ALONE <= pack < _TIMES):
        raise _invalid(f"{shown(path)} has a number that can't be")


def _invalid(why: str) -> ContextError:
    return ContextError(f"the listing can't be read: {why}", slug="listing-invalid")
