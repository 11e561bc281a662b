"""Whatever comes in: an answer or an error that has a name, within limits, and never anything else."""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import tarfile
from functools import partial
from typing import Any
from urllib.parse import urlencode

import zstandard
from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from starlette.datastructures import QueryParams

from service.handlers.docker_query import FLAGS, JSON, TEXT, build_fields, registry_logins
from shipway.context import dockerfile
from shipway.context.decompress import Decompressor
from shipway.context.dockerignore import PatternMatcher, read_patterns
from shipway.context.limits import Limits
from shipway.context.listing import ListingReader
from shipway.context.packreader import PackReader
from shipway.context.packs import PLAIN, ZSTD, Member, Pack, header_of
from shipway.context.tarindex import TarIndexer
from shipway.exceptions import ContextError, InvalidRequest, RequestError
from shipway.models.context import Entry, EntryType, Manifest
from shipway.models.reference import Reference
from shipway.models.request import BuildRequest
from shipway.models.spec import BuildSpec
from workers.engine.session.packets import stat_packets
from workers.engine.session.proto.control_pb2 import StatusResponse, Vertex, VertexLog, VertexStatus
from workers.engine.session.proto.fsutil_pb2 import Packet
from workers.engine.trace import Trace
from workers.masking import MASK, Mask

LIMITS = Limits(max_bytes=2**16, max_entries=50, max_path=200, max_metadata=4096, max_names=4096)
NAMES = st.text("ab./\\\0é-*", max_size=12)
TEXTS = st.text(max_size=20)
DIGESTS = st.sampled_from(["", "sha256:a", "sha256:b", "x"])


@st.composite
def spoilt(draw: st.DrawFn, whole: st.SearchStrategy[bytes]) -> bytes:
    """Bytes with some of them changed, and perhaps the end cut off."""
    raw = bytearray(draw(whole)[: draw(st.integers(0, 8000))])
    for at, byte in draw(st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=6)):
        if at < len(raw):
            raw[at] = byte
    return bytes(raw)


@st.composite
def archives(draw: st.DrawFn) -> bytes:
    """A tar of odd members."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w", format=draw(st.sampled_from([0, 1, 2]))) as tar:
        for name, kind, size, link in draw(
            st.lists(st.tuples(NAMES, st.sampled_from(b"0123456LKxgS"), st.integers(0, 600), NAMES), max_size=4)
        ):
            member = tarfile.TarInfo(name)
            member.type, member.size, member.linkname = bytes([kind]), size, link
            with contextlib.suppress(ValueError, UnicodeError):
                tar.addfile(member, io.BytesIO(bytes(size)))
    return file.getvalue()


@st.composite
def packs(draw: st.DrawFn) -> bytes:
    """Packs as a client sends them, perhaps of nothing, or of what they do not say."""
    raw = b""
    for contents in draw(st.lists(st.lists(st.binary(max_size=300), max_size=4), max_size=3)):
        pack = Pack(tuple(Member(len(content), hashlib.sha256(content).digest()) for content in contents))
        body = b"".join(contents) + draw(st.just(b"") | st.binary(max_size=9))
        encoding = draw(st.sampled_from([PLAIN, ZSTD]))
        if encoding == ZSTD:
            body = zstandard.ZstdCompressor().compress(body)
        raw += header_of(pack, encoding, len(body)) + body
    return raw


ODD: st.SearchStrategy[object] = TEXTS | st.sampled_from(
    ["", "/", "..", "é\0", "A" * 64, -2, 1 << 64, 0.5, True, None, [], ["a"], [None], {}]
)
"""What a field of a listing does not expect."""


@st.composite
def listings(draw: st.DrawFn) -> bytes:
    """Entries as a client says them, some with one odd field, or with one too many."""
    rows: list[list[object]] = []
    for path in draw(st.lists(st.text("abc/.é", min_size=1, max_size=5), max_size=6)):
        mode, size, pack = draw(st.integers(0, 0o7777)), draw(st.integers(0, 9)), draw(st.integers(-1, 1))
        digests = [draw(st.sampled_from("abc")) * 64] if size else []
        file = [path, "file", mode, size, 0, "", digests, pack]
        row = draw(
            st.sampled_from([file, [path, "dir", mode, 0, 0, "", [], -1], [path, "symlink", 0, 0, 0, "a", [], -1]])
        )
        if draw(st.integers(0, 3)) == 0:
            row = [path]
        if (at := draw(st.integers(-8, 9))) > 0:
            row[at - 1 :] = [draw(ODD), *row[at:]]
        rows.append(row)
    return "".join(f"{json.dumps(row)}\n" for row in rows).encode()


def inside(path: str) -> bool:
    return not path.startswith("/") and ".." not in path.split("/") and "\0" not in path


def within_limits(manifest: Manifest) -> bool:
    return (
        all(inside(entry.path) for entry in manifest)
        and len(manifest) <= LIMITS.max_entries
        and manifest.size <= LIMITS.max_bytes
    )


def cut(raw: bytes, size: int) -> list[bytes]:
    return [raw[start : start + size] for start in range(0, len(raw), size)]


CUTS = st.integers(1, 700)
"""Sizes of the chunks in which something comes."""


@given(spoilt(archives()) | st.binary(max_size=2000), CUTS)
def test_archive(raw: bytes, size: int) -> None:
    unpacking, indexer = Decompressor(LIMITS), TarIndexer(LIMITS, "blob")
    try:
        for chunk in cut(raw, size):
            for piece in unpacking.feed(chunk):
                indexer.feed(piece)
        for piece in unpacking.finish():
            indexer.feed(piece)
        manifest = indexer.finish()
    except RequestError:
        return
    assert within_limits(manifest)


@given(packs() | spoilt(packs()), CUTS)
def test_packs(raw: bytes, size: int) -> None:
    reader = PackReader()
    with contextlib.suppress(RequestError):
        for chunk in cut(raw, size):
            for pack, content in reader.feed(chunk):
                at = 0
                for member in pack.members:
                    assert hashlib.sha256(content[at : at + member.size]).digest() == member.digest
                    at += member.size
                assert at == len(content)
        reader.finish()


BASE = Manifest([Entry("a", EntryType.DIR, 0o755), Entry("a/b", EntryType.FILE, 0o644), Entry("b", EntryType.FILE, 0)])


@given(listings() | spoilt(listings()), CUTS, st.sampled_from([None, BASE]))
def test_listing(raw: bytes, size: int, base: Manifest | None) -> None:
    reader = ListingReader(LIMITS, base)
    try:
        for chunk in cut(raw, size):
            reader.feed(chunk)
        manifest = reader.finish()
    except RequestError:
        return
    assert within_limits(manifest)


@given(st.binary(max_size=60) | st.text("!*?[]^-/\\.ab#\n ", max_size=30), st.lists(NAMES, max_size=4))
def test_dockerignore(raw: bytes | str, paths: list[str]) -> None:
    try:
        matcher = PatternMatcher(read_patterns(raw))
    except ContextError:
        return
    for path in paths:
        assert matcher.excludes(path) in (True, False)


@given(
    st.lists(
        st.sampled_from(
            ["FROM ", "ARG ", "COPY --from=", "RUN <<E\n", "# escape=`\n", "\\\n", "$", "${a:-", "}", " AS b\n"]
        )
        | TEXTS
    )
)
def test_references_of_a_dockerfile(parts: list[str]) -> None:
    text = "".join(parts)

    for image in dockerfile.images(text, {"a": "b"}):
        assert Reference.parse(str(image)) == image
    for instruction in dockerfile.instructions(text):
        assert 1 <= instruction.first <= instruction.last <= text.count("\n") + 1


@given(st.text(max_size=40) | st.text("ab:/@.-_0sha256", max_size=80))
def test_image_reference(text: str) -> None:
    try:
        reference = str(Reference.parse(text))
    except ValueError:
        return
    assert str(Reference.parse(reference)) == reference
    assert not {".", ".."} & set(reference.split("/"))  # no way up; dots within a tag lead nowhere
    assert not set(reference) & set("\\?#% \n\0")


VERTEXES = st.builds(Vertex, digest=DIGESTS, name=TEXTS, cached=st.booleans(), error=TEXTS, inputs=st.lists(DIGESTS))
LOGS = st.builds(VertexLog, vertex=DIGESTS, msg=st.binary(max_size=20), stream=st.integers(-2, 300))
STATUSES = st.builds(
    VertexStatus, vertex=DIGESTS, ID=TEXTS, current=st.integers(-5, 2**40), total=st.integers(-5, 2**40)
)

FEW = partial(st.lists, max_size=4)  # 10,000 inputs of lists without an end took half an hour and 2.6 GB


@given(st.lists(st.builds(StatusResponse, vertexes=FEW(VERTEXES), logs=FEW(LOGS), statuses=FEW(STATUSES)), max_size=5))
def test_trace(responses: list[StatusResponse]) -> None:
    trace = Trace()
    for response in responses:
        list(trace.read(response))
    list(trace.abandon())

    assert [step.number for step in trace.steps] == list(range(1, len(trace.steps) + 1))


@given(st.binary(max_size=100))
def test_trace_of_any_bytes(raw: bytes) -> None:
    with contextlib.suppress(DecodeError):
        list(Trace().read(StatusResponse.FromString(raw)))


@given(
    NAMES, st.sampled_from(EntryType), st.integers(0, 2**17), st.integers(0, 2**40), st.integers(-(2**60), 2**60), NAMES
)
def test_packet(path: str, kind: EntryType, mode: int, size: int, mtime: int, link: str) -> None:
    (packet,) = stat_packets([Entry(path, kind, mode, size, mtime, link)])

    assert Packet.FromString(packet.SerializeToString()) == packet
    assert packet.stat.path == path


QUERY = st.sampled_from(["t", "extrahosts", "remote", *TEXT, *FLAGS, *JSON])
VALUES = TEXTS | st.sampled_from(
    ['{"a":"b"}', "[]", "null", "1e999", "[" * 3000, '{"a":{}}', "../x", "a:b", "NaN", "9" * 5000]
)


@given(st.lists(st.tuples(QUERY, VALUES), max_size=5))
def test_dockers_query(pairs: list[tuple[str, str]]) -> None:
    try:
        fields: dict[str, Any] = build_fields(QueryParams(urlencode(pairs, errors="surrogatepass")))
        request = BuildRequest.model_validate(fields | {"context": "sha256:" + "0" * 64})
    except (InvalidRequest, ValidationError):
        return
    assert BuildSpec.model_validate_json(request.spec.model_dump_json()) == request.spec


@given(st.text(max_size=60) | st.text("eyJhIjp7fQ=_-", max_size=60))
def test_registry_logins(header: str) -> None:
    with contextlib.suppress(InvalidRequest):
        registry_logins(header)


@given(st.lists(st.text("abc", min_size=4, max_size=8), max_size=3), st.text("abc", max_size=60))
def test_mask(values: list[str], text: str) -> None:
    masked = Mask(values).text(text)

    assert not any(value in part for value in values for part in masked.split(MASK))
