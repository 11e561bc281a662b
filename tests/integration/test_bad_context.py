"""Uploads that can't be a context are refused at the door with a slug that says why, and leave nothing behind."""

from __future__ import annotations

import array
import bz2
import fcntl
import gzip
import lzma
import socket
import tarfile
import time
from collections.abc import Callable

import pytest
import zstandard

from deploy.local.stack import Stack
from deploy.local.waiting import wait_until
from tests.integration.contexts import once, script, tar_of
from tests.integration.http_api import TAR, HttpApi, refusal, user_steps
from tests.integration.leftovers import kept
from tests.unit.context.archives import END, member, pax_member, raw_header, record

pytestmark = pytest.mark.engine_independent

GOOD = tar_of(script("FROM base", "COPY . /all"))
ZEROS = member("zeros", bytes(48 * 2**20)) + END
GIB = 2**30
PATHS = pytest.mark.parametrize("path", ["/v1/contexts", "/v1/builds?t=bad"])


def sparse_in_pax(version: bytes) -> bytes:
    """A plain tar of a few hundred bytes that claims to be a file of a GiB."""
    fields = {
        b"0.1": record("GNU.sparse.size", b"1073741824") + record("GNU.sparse.map", b"0,1"),
        b"1.0": record("GNU.sparse.major", b"1")
        + record("GNU.sparse.minor", b"0")
        + record("GNU.sparse.realsize", b"1073741824"),
    }[version]
    return pax_member(fields) + member("hole", b"0\n" + bytes(510)) + END


def broken(raw: bytes, at: int) -> bytes:
    return raw[:at] + bytes([raw[at] ^ 0xFF]) + raw[at + 1 :]


REFUSED: dict[str, tuple[Callable[[], bytes], int, str]] = {
    "nothing": (lambda: b"", 400, "context-empty"),
    "text": (lambda: b"FROM base\n" * 200, 400, "context-not-tar"),
    "a few bytes": (lambda: b"x", 400, "context-not-tar"),
    "truncated tar": (lambda: GOOD[:700], 400, "context-truncated"),
    "truncated gzip": (lambda: gzip.compress(GOOD)[:-20], 400, "context-truncated"),
    "truncated zstd": (lambda: zstandard.compress(GOOD)[:-4], 400, "context-truncated"),
    "damaged gzip": (lambda: broken(gzip.compress(GOOD), -6), 400, "context-corrupt"),
    "damaged header": (lambda: member("a", b"1") + broken(member("b", b"2"), 3) + END, 400, "context-corrupt"),
    "text in gzip": (lambda: gzip.compress(b"hello\n" * 200), 400, "context-not-tar"),
    "parent path": (lambda: member("../../etc/passwd", b"x") + END, 400, "context-path-escapes"),
    "hidden parent path": (lambda: member("a/b/../../../x", b"x") + END, 400, "context-path-escapes"),
    "absolute path": (lambda: member("/etc/passwd", b"x") + END, 400, "context-path-escapes"),
    "character device": (lambda: member("null", kind=tarfile.CHRTYPE) + END, 400, "context-special-file"),
    "block device": (lambda: member("sda", kind=tarfile.BLKTYPE) + END, 400, "context-special-file"),
    "fifo": (lambda: member("pipe", kind=tarfile.FIFOTYPE) + END, 400, "context-special-file"),
    "hard link to nothing": (
        lambda: member("a", kind=tarfile.LNKTYPE, link="b") + END,
        400,
        "context-hardlink-target",
    ),
    "hard link out of the context": (
        lambda: member("a", kind=tarfile.LNKTYPE, link="/etc/shadow") + END,
        400,
        "context-path-escapes",
    ),
    "path through a link": (
        lambda: member("out", kind=tarfile.SYMTYPE, link="/etc") + member("out/passwd", b"x") + END,
        400,
        "context-path-through-link",
    ),
    "name of 300 bytes": (lambda: member("n" * 300, b"x") + END, 400, "context-path-too-long"),
    "path of 5000 bytes": (lambda: member("/".join(["d" * 99] * 50), b"x") + END, 400, "context-path-too-long"),
    "name that is not UTF-8": (lambda: raw_header(b"\xff\xfe") + END, 400, "context-name-encoding"),
    "NUL in a name": (lambda: pax_member(record("path", b"a\0b")) + member("x") + END, 400, "context-name-encoding"),
    "sparse member": (lambda: raw_header(b"hole", kind=b"S") + END, 400, "context-sparse"),
    "sparse in PAX 0.1": (lambda: sparse_in_pax(b"0.1"), 400, "context-sparse"),
    "sparse in PAX 1.0": (lambda: sparse_in_pax(b"1.0"), 400, "context-sparse"),
    "huge PAX header": (lambda: pax_member(record("comment", bytes(2**21))) + END, 400, "context-metadata-too-large"),
    "size that is no number": (lambda: raw_header(size=b"hello") + END, 400, "context-bad-header"),
    "member of 30 GiB": (
        lambda: raw_header(size=b"\x80\0\0\0" + (30 * GIB).to_bytes(8)) + END,
        413,
        "context-too-large",
    ),
    "gzip bomb": (lambda: gzip.compress(ZEROS), 413, "context-bomb"),
    "bzip2 bomb": (lambda: bz2.compress(ZEROS), 413, "context-bomb"),
    "xz bomb": (lambda: lzma.compress(ZEROS, preset=0), 413, "context-bomb"),
    "zstd bomb": (lambda: zstandard.compress(ZEROS), 413, "context-bomb"),
}


@PATHS
@pytest.mark.parametrize("what", REFUSED)
def test_what_can_be_no_context_is_refused_and_leaves_nothing(api: HttpApi, stack: Stack, what: str, path: str) -> None:
    make, status, slug = REFUSED[what]
    before = kept(stack)

    answer = api.http.post(path, content=make(), headers=TAR)

    assert refusal(answer) == (status, slug)
    assert kept(stack) == before


def test_message_names_the_entry_at_fault(api: HttpApi) -> None:
    answer = api.http.post("/v1/contexts", content=member("a/../../x", b"") + END, headers=TAR)

    assert "a/../../x" in answer.json()["error"]["message"]


def test_last_of_several_entries_with_one_name_counts(api: HttpApi) -> None:
    word = once()
    archive = b"".join(
        [
            member("Dockerfile", f"FROM base\nCOPY a /a\nRUN cat /a # {word}\n".encode()),
            *(member("a", text) for text in (b"first\n", b"second\n", b"third\n")),
            END,
        ]
    )

    job = api.succeed(archive)

    log = api.log(job.id)
    assert "third\n" in log
    assert "first\n" not in log


def test_hard_link_is_the_file_it_links_to(api: HttpApi) -> None:
    text = f"FROM base\nCOPY . /all\nRUN cat /all/hard # {once()}\n".encode()
    archive = (
        member("Dockerfile", text) + member("a", b"linked\n") + member("hard", kind=tarfile.LNKTYPE, link="a") + END
    )

    assert "linked\n" in api.log(api.succeed(archive).id)


@pytest.mark.parametrize("builder", ["buildkit", "classic"])
def test_link_out_of_the_context_is_taken_as_it_is_and_never_followed(api: HttpApi, builder: str) -> None:
    text = f"FROM base\nCOPY . /all\nRUN readlink /all/out; readlink /all/up # {once()}\n".encode()
    links = (("out", "/etc/shadow"), ("up", "../../../../etc/shadow"))
    archive = b"".join(
        [
            member("Dockerfile", text),
            *(member(name, kind=tarfile.SYMTYPE, link=target) for name, target in links),
            END,
        ]
    )

    log = api.log(api.succeed(archive, builder=builder).id)

    assert "/etc/shadow\n../../../../etc/shadow\n" in log


def test_two_hundred_thousand_entries_are_taken_in_seconds(api: HttpApi) -> None:
    block = raw_header(b"dir/000000")
    rest = sum(block) - sum(block[148:156]) + 8 * 0x20 - sum(b"000000")
    members = (
        block[:4] + name + block[10:148] + b"%06o\0 " % (rest + sum(name)) + block[156:]
        for name in (b"%06d" % n for n in range(200_000))
    )
    archive = b"".join(members) + END

    began = time.monotonic()
    answer = api.http.post("/v1/contexts", content=archive, headers=TAR)

    assert answer.status_code == 201, answer.text
    assert (answer.json()["entries"], answer.json()["bytes"]) == (200_001, 0)
    assert time.monotonic() - began < 30


@pytest.mark.parametrize("framing", ["Content-Length: 90000000", "Transfer-Encoding: chunked"])
@pytest.mark.parametrize("sent", [600, 20 * 2**20])
@pytest.mark.parametrize("path", ["/v1/contexts", "/v1/builds?t=half"])
def test_body_that_stops_half_way_leaves_nothing(
    api: HttpApi, stack: Stack, framing: str, sent: int, path: str
) -> None:
    before = kept(stack)
    part = member("big", bytes(range(256)) * (90_000 * 4))[:sent]
    chunk = b"%x\r\n" % (len(part) + 5) + part if "chunked" in framing else part
    headers = f"Host: x\r\nAuthorization: Bearer {api.token}\r\nContent-Type: application/x-tar\r\n{framing}"
    head = f"POST {path} HTTP/1.1\r\n{headers}\r\n\r\n"

    with socket.create_connection(("127.0.0.1", stack.service.port)) as connection:
        connection.sendall(head.encode() + chunk)
        assert wait_until(lambda: _unread(connection) == 0)  # all of it has left this side

    assert wait_until(lambda: kept(stack) == before)
    assert api.http.get("/readyz").status_code == 200
    assert kept(stack) == before


def test_same_context_twice_is_kept_once(api: HttpApi, stack: Stack) -> None:
    archive = tar_of(script("FROM base", f"LABEL word={once()}"))
    first, before = api.upload(archive), kept(stack)

    again = api.upload(gzip.compress(archive))

    assert first == again
    assert kept(stack) == before


def test_context_without_a_dockerfile_fails_the_build(api: HttpApi) -> None:
    for builder in ("buildkit", "classic"):
        job = api.build({"a": b"1"}, builder=builder)

        assert job.error is not None
        assert (job.error.slug, job.attempt) == ("dockerfile-missing", 1)
        assert user_steps(job) == []


def _unread(connection: socket.socket) -> int:
    """Bytes that the kernel has not yet handed to the other side (SIOCOUTQ of tcp(7))."""
    waiting = array.array("i", [0])
    fcntl.ioctl(connection, 0x5411, waiting)
    return waiting[0]
