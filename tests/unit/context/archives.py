"""Tar archives made by hand, good and hostile."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable
from typing import Literal

import pytest

from shipway.context.limits import Limits
from shipway.context.tarindex import TarIndexer
from shipway.exceptions import ShipwayError
from shipway.models.context import Manifest

END = bytes(1024)


def member(
    name: str,
    content: bytes = b"",
    *,
    kind: bytes = tarfile.REGTYPE,
    link: str = "",
    mode: int = 0o644,
    mtime: float = 0,
    pax: dict[str, str] | None = None,
    form: Literal[0, 1, 2] = tarfile.PAX_FORMAT,
) -> bytes:
    """One member: its headers, its content, its padding."""
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.mode, info.mtime = kind, link, mode, mtime
    info.size = len(content)
    if pax:
        info.pax_headers = pax
    return info.tobuf(form, "utf-8", "surrogateescape") + content + bytes(-len(content) % 512)


def raw_header(name: bytes = b"file", *, kind: bytes = b"0", size: bytes = b"0", mtime: bytes = b"0") -> bytes:
    """A ustar header of raw fields, with a right checksum."""
    block = bytearray(512)
    block[0 : len(name)] = name
    block[100:107] = b"0000644"
    block[124 : 124 + len(size)] = size
    block[136 : 136 + len(mtime)] = mtime
    block[156:157] = kind
    block[257:265] = b"ustar\x0000"
    block[148:156] = b" " * 8
    block[148:155] = b"%06o\0" % sum(block)
    return bytes(block)


def pax_member(records: bytes, kind: bytes = b"x") -> bytes:
    """An extended header with these raw records."""
    return raw_header(b"pax", kind=kind, size=b"%011o" % len(records)) + records + bytes(-len(records) % 512)


def record(keyword: str, value: bytes) -> bytes:
    """One PAX record; its length counts itself."""
    rest = b" " + keyword.encode() + b"=" + value + b"\n"
    length = len(rest) + len(str(len(rest)))
    if len(str(length)) + len(rest) != length:
        length += 1
    return str(length).encode() + rest


def index(raw: bytes, limits: Limits | None = None, *, step: int | None = None) -> Manifest:
    """Index an archive, fed in chunks of `step` bytes."""
    indexer = TarIndexer(limits or Limits(), "blob")
    for at in range(0, len(raw), step or len(raw) or 1):
        indexer.feed(raw[at : at + (step or len(raw))])
    return indexer.finish()


def refused(raw: bytes, limits: Limits | None = None) -> ShipwayError:
    """Index an archive that must be refused, and return how."""
    with pytest.raises(ShipwayError) as caught:
        index(raw, limits)
    return caught.value


def packed(files: Iterable[tuple[str, bytes]], form: int = tarfile.GNU_FORMAT) -> bytes:
    """A whole archive as Python's own tar writer makes it."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form) as tar:
        for name, content in files:
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return out.getvalue()
