"""Headers of a tar: byte for byte those of Python's tarfile, whichever way they are written."""

from __future__ import annotations

import tarfile

from hypothesis import example, given
from hypothesis import strategies as st

from shipway.context.tarmember import member_header

SECOND = 10**9
KINDS = (tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE)
paths = st.text(st.sampled_from("ab/é."), min_size=1, max_size=140).filter(lambda path: path.strip("/") == path)


def by_tarfile(path: str, kind: bytes, mode: int, size: int, mtime_ns: int, link: str) -> bytes:
    member = tarfile.TarInfo(path)
    member.type, member.mode, member.size, member.linkname = kind, mode, size, link
    member.mtime = mtime_ns // SECOND
    if mtime_ns % SECOND:
        sign, absolute = ("-", -mtime_ns) if mtime_ns < 0 else ("", mtime_ns)
        member.pax_headers = {"mtime": f"{sign}{absolute // SECOND}.{absolute % SECOND:09d}"}
    return member.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")


@given(
    paths,
    st.sampled_from(KINDS),
    st.integers(0, 0o7777),
    st.integers(0, 2**36),
    st.one_of(st.integers(-(2**62), 2**62), st.integers(0, 2**33).map(lambda seconds: seconds * SECOND)),
    st.text(st.sampled_from("ab/é."), max_size=140),
)
@example("a" * 99, tarfile.DIRTYPE, 0o755, 0, 1, "")
@example("a" * 100, tarfile.DIRTYPE, 0o755, 0, 1, "")
@example("a" * 100, tarfile.REGTYPE, 0o4755, 8**11 - 1, (8**11 - 1) * SECOND, "")
@example("a", tarfile.REGTYPE, 0o644, 8**11, 8**11 * SECOND, "")
def test_header_is_that_of_tarfile(path: str, kind: bytes, mode: int, size: int, mtime_ns: int, link: str) -> None:
    expected = by_tarfile(path, kind, mode, size, mtime_ns, link)

    assert expected == member_header(path, kind, mode, size, mtime_ns, link)
