"""One 512-byte header block of a tar archive, and the records of PAX headers.

Sources: POSIX.1-2001 `ustar` and `pax` interchange formats; the GNU tar manual ("Basic Tar Format", "Storing
Sparse Files"); star(5) for its prefix field and its vendor keywords.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from shipway.context.paths import shown
from shipway.context.tarmember import BLOCK
from shipway.exceptions import ContextError

ZERO_BLOCK = bytes(BLOCK)

_CHECKSUM = slice(148, 156)
_USTAR = b"ustar\x00"
_STAR_TRAILER = b"tar\x00"
_UNSIGNED = 0x80
_NEGATIVE = 0xFF
_HIGH_BIT = 0x80
_TIME = re.compile(rb"(-?)([0-9]{1,18})(?:\.([0-9]{0,64}))?")
_SIZE = re.compile(rb"[0-9]{1,19}")
_INT64 = 2**63 - 1
_MAX_LENGTH_DIGITS = 10

_SPARSE_KEYS = (b"GNU.sparse.", b"SCHILY.realsize", b"SUN.holesdata")
"""Keywords by which an archive says that a member holds less than its file: GNU tar, star, Solaris."""

_KNOWN_KEYS = frozenset({b"path", b"linkpath", b"size", b"mtime"})


class Header(NamedTuple):
    """The fields of a header that a context uses. Names are raw bytes; `mtime_ns` is in nanoseconds."""

    kind: bytes
    name: bytes
    mode: int
    size: int
    mtime_ns: int
    link: bytes


def parse_header(block: bytes) -> Header | None:
    """Read a header block; None if its checksum shows that it is none.

    Raises:
        ContextError: a number in it is malformed or negative (`context-bad-header`).
    """
    if not _checksum_fits(block):
        return None
    name = _text(block[0:100])
    kind = block[156:157]
    return Header(
        kind,
        _prefix(block) + name,
        _number(block[100:108], "mode", name) & 0o7777,
        _size(block[124:136], name),
        clamp_ns(_number(block[136:148], "modification time", name) * 1_000_000_000),
        _text(block[157:257]),
    )


def _checksum_fits(block: bytes) -> bool:
    """Return whether the checksum is right, as a sum of unsigned or (old Sun tars) of signed bytes."""
    raw = block[_CHECKSUM].strip(b"\0 ")
    if not raw.isdigit():
        return False
    try:
        wanted = int(raw, 8)
    except ValueError:
        return False
    total = sum(block) - sum(block[_CHECKSUM]) + 8 * 0x20
    if total == wanted:
        return True
    high = sum(byte >= _HIGH_BIT for byte in block) - sum(byte >= _HIGH_BIT for byte in block[_CHECKSUM])
    return total - 256 * high == wanted


def _prefix(block: bytes) -> bytes:
    """Return the directory part that `ustar` headers keep apart. GNU headers use that place for other things."""
    if block[257:263] != _USTAR:
        return b""
    end = 476 if block[508:512] == _STAR_TRAILER else 500
    prefix = _text(block[345:end])
    return prefix + b"/" if prefix else b""


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]


def _number(field: bytes, what: str, name: bytes) -> int:
    """Read a number: octal digits, or base 256 if its first bit is set."""
    if field[0] in (_UNSIGNED, _NEGATIVE):
        value = int.from_bytes(field[1:], "big")
        return value if field[0] == _UNSIGNED else value - 256 ** (len(field) - 1)
    digits = field.strip(b"\0 ")
    if not digits:
        return 0
    try:
        if digits.isdigit():
            return int(digits, 8)
    except ValueError:
        pass
    raise ContextError(f"the {what} of {shown(name)} is not a number", slug="context-bad-header")


def _size(field: bytes, name: bytes) -> int:
    size = _number(field, "size", name)
    if size < 0:
        raise ContextError(f"the size of {shown(name)} is negative", slug="context-bad-header")
    return size


def clamp_ns(nanoseconds: int) -> int:
    """Bring a time into the 64 bits that BuildKit has for it (the years 1678 to 2262)."""
    return max(-_INT64, min(_INT64, nanoseconds))


def parse_pax(data: bytes) -> dict[bytes, bytes]:
    """Read the records of a PAX header; only keywords that a context uses are returned.

    A record is `length SP keyword=value LF`, its length counting itself.

    Raises:
        ContextError: a record is malformed (`context-bad-pax`), or says that the member is sparse
            (`context-sparse`).
    """
    records: dict[bytes, bytes] = {}
    at = 0
    while at < len(data):
        space = data.find(b" ", at, at + _MAX_LENGTH_DIGITS + 1)
        digits = data[at:space] if space != -1 else b""
        end = at + int(digits) if digits.isdigit() else 0
        if not space + 1 < end <= len(data) or data[end - 1 : end] != b"\n":
            raise _bad_pax(data[at : at + 40])
        key, equals, value = data[space + 1 : end - 1].partition(b"=")
        if not equals or not key:
            raise _bad_pax(data[at : at + 40])
        if key.startswith(_SPARSE_KEYS):
            raise sparse("a member", key)
        if key in _KNOWN_KEYS:
            records[key] = value
        at = end
    return records


def pax_size(value: bytes) -> int:
    """Read the value of `size`, in bytes."""
    if not _SIZE.fullmatch(value):
        raise _bad_pax(b"size=" + value)
    return int(value)


def pax_time(value: bytes) -> int:
    """Read the value of `mtime` (seconds with a fraction) as nanoseconds."""
    match = _TIME.fullmatch(value)
    if match is None:
        raise _bad_pax(b"mtime=" + value)
    fraction = (match[3] or b"")[:9].ljust(9, b"0")
    nanoseconds = int(match[2]) * 1_000_000_000 + int(fraction)
    return clamp_ns(-nanoseconds if match[1] else nanoseconds)


def sparse(what: str, key: bytes = b"") -> ContextError:
    """Return the error for a sparse member, which would unpack to more bytes than the archive holds."""
    reason = f" ({key[:40].decode('utf-8', 'backslashreplace')})" if key else ""
    return ContextError(
        f"{what} of the archive is stored as a sparse file{reason}; pack it without --sparse", slug="context-sparse"
    )


def _bad_pax(record: bytes) -> ContextError:
    return ContextError(f"a PAX header of the archive has a malformed record: {shown(record)}", slug="context-bad-pax")
