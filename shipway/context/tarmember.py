"""Writes what stands before a member's content in a tar: its header, with a PAX header where one is needed.

Python's `tarfile` does this too, and takes half of the time in which a context of many small files is packed. Nearly
every member is plain: short ASCII names, a size and a time that fit into octal digits. These are written here, byte for
byte in the same format; the others are left to `tarfile`, which is not loaded before. Source: POSIX.1-2001, `ustar` and
`pax` interchange formats.
"""

from __future__ import annotations

from functools import cache

BLOCK = 512
"""Bytes: headers have so many, contents are filled up to a multiple."""
FILE, DIRECTORY, LINK = b"0", b"5", b"2"
"""Type flags."""
_EXTENDED = b"x"
_SECOND = 1_000_000_000
_NAME = 100
"""Bytes of a name or a link target that a header has room for."""
_OCTAL = 8**11
"""Sizes and times from here on don't fit into eleven octal digits."""
_OWNER = b"0000000\0" * 2
_TRAILER = b"ustar\x0000".ljust(BLOCK - 257, b"\0")
_BLANK_CHECKSUM = 8 * 0x20
_CONSTANT_SUM = sum(_TRAILER) + _BLANK_CHECKSUM


def member_header(path: str, kind: bytes, mode: int, size: int, mtime_ns: int, link: str) -> bytes:
    """Return the header blocks of one member; owner and group are 0, times keep their nanoseconds.

    Args:
        path: as it shall stand in the archive, without a slash at its end.
        kind: the type flag, `FILE`, `DIRECTORY` or `LINK`.
        mode: permission bits.
        size: bytes of content that will follow.
        mtime_ns: nanoseconds since the epoch.
        link: target of a symbolic link, else empty.
    """
    seconds, nanoseconds = divmod(mtime_ns, _SECOND)
    name = f"{path}/" if kind == DIRECTORY else path
    plain = name.isascii() and len(name) <= _NAME and link.isascii() and len(link) <= _NAME
    if not plain or size >= _OCTAL or not 0 <= seconds < _OCTAL:
        return _general(path, kind, mode, size, mtime_ns, link)
    header = _block(name.encode(), kind, mode, size, seconds, link.encode())
    return _precise_time(seconds, nanoseconds) + header if nanoseconds else header


def _block(name: bytes, kind: bytes, mode: int, size: int, seconds: int, link: bytes) -> bytes:
    start = b"%b%07o\0%b%011o\0%011o\0" % (name.ljust(_NAME, b"\0"), mode, _OWNER, size, seconds)
    checksum = sum(start) + kind[0] + sum(link) + _CONSTANT_SUM
    return b"%b%06o\0 %b%b%b" % (start, checksum, kind, link.ljust(_NAME, b"\0"), _TRAILER)


def _precise_time(seconds: int, nanoseconds: int) -> bytes:
    record = b" mtime=%d.%09d\n" % (seconds, nanoseconds)
    length = len(record) + 2  # the length counts its own two digits
    return _pax_block(length) + (b"%d%b" % (length, record)).ljust(BLOCK, b"\0")


@cache
def _pax_block(size: int) -> bytes:
    return _block(b"././@PaxHeader", _EXTENDED, 0, size, 0, b"")


def _general(path: str, kind: bytes, mode: int, size: int, mtime_ns: int, link: str) -> bytes:
    import tarfile  # noqa: PLC0415  (brings all compressions with it)

    member = tarfile.TarInfo(path)
    member.type = kind
    member.mode = mode
    member.size = size
    member.linkname = link
    seconds, nanoseconds = divmod(mtime_ns, _SECOND)
    member.mtime = seconds
    if nanoseconds:
        sign, absolute = ("-", -mtime_ns) if mtime_ns < 0 else ("", mtime_ns)
        member.pax_headers = {"mtime": f"{sign}{absolute // _SECOND}.{absolute % _SECOND:09d}"}
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")
