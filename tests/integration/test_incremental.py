"""Directories sent piece by piece: the same contexts as by tar, nothing sent twice, nothing believed, nothing left."""

from __future__ import annotations

import hashlib
import json
import os
import random
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any, NamedTuple
from unittest.mock import patch

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from deploy.local.stack import Stack
from service.logic.contexts import MOST_AT_ONCE
from shipway.client import Client, incremental
from shipway.client.alone import Alone, run_alone
from shipway.client.connection import Connection
from shipway.client.ground import common_headers
from shipway.client.incremental import Sending
from shipway.client.snapshot import Snapshot, packed
from shipway.client.statcache import StatCache
from shipway.client.upload import LocalContext, prepare
from shipway.client.wire import WHOLE, Wire
from shipway.context.packs import MAX_PACK
from shipway.exceptions import ContextError
from tests.integration.contexts import once, pack_of, wire
from tests.integration.http_api import HttpApi, made, refusal
from tests.integration.leftovers import kept, orphans
from tests.support.mutations import ROUNDS, mutate
from tests.support.tcp_proxy import TcpProxy

pytestmark = pytest.mark.engine_independent


class Sent(NamedTuple):
    """What an upload came to."""

    digest: str
    sent: int
    spared: int


@pytest.fixture(scope="module")
def project(stack: Stack) -> Iterator[HttpApi]:
    """A project of this file's own."""
    with HttpApi(stack.service.url, stack.token) as admin, new_project(admin) as api:
        yield api


def new_project(admin: HttpApi, **fields: Any) -> HttpApi:
    token = made(admin, project=f"p-{once()[:12]}", scopes=["read", "build", "push"], **fields)["token"]
    return HttpApi(admin.url, token)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree of 8 MB that nobody has seen before."""
    root, chance = tmp_path / "tree", random.Random(once())
    for number in range(400):
        path = root / f"d{number % 7}" / f"f{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(chance.randbytes(20_000))
    (root / "Dockerfile").write_text("FROM scratch\nCOPY . /\n")
    return root


@pytest.fixture(params=["looked at first", "sent while it is looked at"])
def _both_ways(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(incremental, "AHEAD", 0 if request.param == "sent while it is looked at" else 2**40)


both_ways = pytest.mark.usefixtures("_both_ways")
"""Small trees and large ones are sent in different ways; these are tried with both."""


def send(api: HttpApi, root: Path, url: str | None = None) -> Sent:
    """Send a directory as the SDK does."""
    moved, spared = [0], [0]
    with Client(url or api.url, token=api.token) as client:
        receipt = client.upload_context(root, on_progress=lambda sent, _: moved.append(sent), on_spared=spared.append)
    return Sent(receipt.digest, max(moved), spared[-1])


def by_tar(api: HttpApi, root: Path) -> str:
    """Send the same directory whole."""
    return api.upload(b"".join(prepare(root).upload.chunks()))


def snapshot_of(root: Path) -> Snapshot:
    tree = prepare(root).upload.tree
    assert tree is not None
    return Snapshot(tree)


@both_ways
def test_a_changed_file_sends_little_and_an_unchanged_tree_nothing(project: HttpApi, root: Path) -> None:
    first = send(project, root)
    again = send(project, root)
    (root / "d3" / "f3").write_bytes(os.urandom(20_000))
    changed = send(project, root)

    assert first.sent > 8_000_000
    assert (first.spared, again.sent, again.spared) == (0, 0, 400 * 20_000 + 22)
    assert again.digest == first.digest != changed.digest == by_tar(project, root)
    # One pack; two if it was the file that ended the pack.
    assert changed.sent < 2 * MAX_PACK + 50_000
    assert changed.spared > 8_000_000 - 2 * MAX_PACK


def test_what_came_as_a_tar_need_not_be_sent_in_packs(project: HttpApi, root: Path) -> None:
    digest = by_tar(project, root)

    assert send(project, root)[:2] == (digest, 0)


@both_ways
def test_a_command_sends_the_same_without_an_event_loop(project: HttpApi, root: Path) -> None:
    """On threads, as `shipway build` does."""
    ground = Alone(project.url, 30, common_headers("0", project.token))
    upload = prepare(root).upload

    receipt = run_alone(Wire(Connection(ground)).send(upload))

    assert receipt["digest"] == by_tar(project, root)
    assert send(project, root)[1:] == (0, receipt["bytes"])


@both_ways
def test_a_large_file_is_sent_in_parts(project: HttpApi, root: Path) -> None:
    content = bytearray(os.urandom(20 * 2**20))
    (root / "large").write_bytes(content)
    send(project, root)
    content[10 * 2**20] ^= 1
    (root / "large").write_bytes(content)

    changed = send(project, root)

    assert changed.digest == by_tar(project, root)
    assert changed.sent < 9 * 2**20


def test_a_small_directory_is_sent_whole(project: HttpApi, tmp_path: Path) -> None:
    """One request takes less time than asking what is missing."""
    (tmp_path / "Dockerfile").write_text(f"FROM scratch\n# {once()}\n")

    assert 0 < send(project, tmp_path).sent < WHOLE


@both_ways
def test_a_broken_upload_goes_on_where_it_broke(project: HttpApi, root: Path, stack: Stack) -> None:
    for number in range(40):
        (root / f"more{number}").write_bytes(os.urandom(600_000))
    total = sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
    with TcpProxy(stack.service.port) as proxy:
        cut = Cutting(proxy, total // 2)
        with Client(f"http://{proxy.address}", token=project.token) as client:
            receipt = client.upload_context(root, on_progress=cut)

    assert cut.done
    assert receipt.digest == by_tar(project, root)
    # Twice is sent what was on its way on one of four connections: a part of a pack, and what buffers held.
    assert cut.sent < 1.6 * total


class Cutting:
    """Cuts all connections once, when so much is sent."""

    def __init__(self, proxy: TcpProxy, after: int) -> None:
        self._proxy = proxy
        self._after = after
        self.done = False
        self.sent = 0

    def __call__(self, sent: int, total: int | None) -> None:
        self.sent = sent
        if sent > self._after and not self.done:
            self.done = True
            self._proxy.blink()


def test_a_lost_connection_leaves_whole_packs_and_nothing_else(project: HttpApi, stack: Stack) -> None:
    whole, half = os.urandom(50_000), os.urandom(50_000)

    def body() -> Iterator[bytes]:
        yield wire(whole)
        yield wire(half)[:-100]

    answer = project.http.post("/v1/packs", content=body())

    assert refusal(answer) == (400, "pack-truncated")
    assert missing(project, whole, half) == [pack_of(half).name]
    assert orphans(stack) == set()


def test_many_tiny_packs_arrive(project: HttpApi) -> None:
    contents = [number.to_bytes(2, "big") for number in range(2 * MOST_AT_ONCE + 1)]
    body = b"".join(wire(content) for content in contents)

    assert project.http.post("/v1/packs", content=body).status_code == 204

    assert missing(project, *contents) == []


@both_ways
def test_packs_of_one_project_are_not_there_for_another(project: HttpApi, stack: Stack, root: Path) -> None:
    first = send(project, root)
    with ExitStack() as exits:
        admin = exits.enter_context(HttpApi(stack.service.url, stack.token))
        other = exits.enter_context(new_project(admin))
        snapshot = snapshot_of(root)

        packs = list(snapshot.packing.packs)

        asked = other.http.post("/v1/packs/missing", json={"context": first.digest, "packs": packs})
        claimed = other.http.put(f"/v1/contexts/{first.digest}", content=packed(snapshot.lines))
        theirs = send(other, root)

    assert asked.json() == {"context": None, "packs": packs}
    assert refusal(claimed) == (409, "context-packs-missing")
    assert theirs.digest == first.digest
    assert theirs.sent >= first.sent


@both_ways
def test_what_has_changed_is_told_of_the_context_before(
    project: HttpApi, stack: Stack, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bases: list[str] = []
    put = Sending._put

    async def counted(self: Sending, digest: str, lines: list[str], base: str = "") -> dict[str, Any]:
        bases.append(base)
        return await put(self, digest, lines, base)

    monkeypatch.setattr(Sending, "_put", counted)
    first = send(project, root)
    (root / "d3" / "f3").write_bytes(os.urandom(20_000))
    (root / "d1" / "f1").unlink()
    second = send(project, root)

    (root / "d3" / "f3").write_bytes(os.urandom(20_000))
    with HttpApi(stack.service.url, stack.token) as admin, new_project(admin) as other:
        elsewhere = send(other, root)

        assert bases == ["", first.digest, second.digest, ""]  # the other project has not got it: sent whole
        assert elsewhere.digest == by_tar(other, root)
    assert second.digest != first.digest


def test_a_base_that_the_service_does_not_remember_is_read_from_the_store(project: HttpApi, root: Path) -> None:
    before = by_tar(project, root)  # of tars no service remembers the manifest
    (root / "d1" / "f1").unlink()
    after = snapshot_of(root)

    url = f"/v1/contexts/{after.digest}"
    answer = project.http.put(url, content=b'["d1/f1"]\n', params={"base": before}).raise_for_status()

    assert (answer.json()["digest"], answer.json()["entries"]) == (after.digest, 400 + 7)


def test_a_context_that_is_not_there_is_no_base(project: HttpApi) -> None:
    url = "/v1/contexts/sha256:" + "0" * 64

    assert refusal(project.http.put(url, content=b"", params={"base": "sha256:" + "0" * 64})) == (
        409,
        "context-base-missing",
    )
    assert refusal(project.http.put(url, content=b"", params={"base": "else"}))[0] == 422


def missing(api: HttpApi, *contents: bytes) -> list[str]:
    """Which of the packs that hold one content each are not there."""
    wanted = {"context": "sha256:" + "0" * 64, "packs": [pack_of(content).name for content in contents]}
    return list(api.http.post("/v1/packs/missing", json=wanted).json()["packs"])


def listing(*files: tuple[str, bytes, int], pack: int = 0) -> bytes:
    """A listing that says of each file its path, its content and its size."""
    lines = [
        [path, "file", 0o644, size, 0, "", [hashlib.sha256(content).hexdigest()], pack] for path, content, size in files
    ]
    return b"".join(json.dumps(line).encode() + b"\n" for line in lines)


def commit(api: HttpApi, raw: bytes, digest: str = "sha256:" + "0" * 64) -> httpx.Response:
    """Commit a listing under the digest that the service itself tells, if it is not wrong for another reason."""
    answer = api.http.put(f"/v1/contexts/{digest}", content=raw)
    if answer.status_code == 400 and answer.json()["error"]["slug"] == "context-digest-mismatch":
        told = answer.json()["error"]["message"].split()[7].rstrip(",")
        return api.http.put(f"/v1/contexts/{told}", content=raw)
    return answer


def test_a_listing_that_lies_is_refused_and_leaves_nothing(project: HttpApi, stack: Stack) -> None:
    known, unknown = once().encode(), once().encode()
    assert project.http.post("/v1/packs", content=wire(known)).status_code == 204
    before = kept(stack)

    for raw in (
        listing(("f", unknown, 32)),
        listing(("f", known, 33)),
        listing(("f", known, 31)),
        listing(("f", known, 32), ("g", unknown, 32)),
    ):
        assert refusal(commit(project, raw)) == (409, "context-packs-missing")
    assert refusal(project.http.put("/v1/contexts/sha256:" + "0" * 64, content=listing(("f", known, 32)))) == (
        400,
        "context-digest-mismatch",
    )
    assert refusal(project.http.put("/v1/contexts/else", content=b""))[0] == 422
    assert refusal(commit(project, listing(("../f", known, 32)))) == (400, "context-path-escapes")

    assert kept(stack).files == before.files
    assert commit(project, listing(("f", known, 32))).status_code == 201


def test_a_pack_that_lies_is_refused_and_leaves_nothing(project: HttpApi, stack: Stack) -> None:
    before, content = kept(stack), os.urandom(1000)
    good = wire(content)

    for raw, slug in (
        (good[:-1] + bytes([good[-1] ^ 1]), "pack-mismatch"),
        (b"nonsense" * 10, "pack-invalid"),
        (good[:-5], "pack-truncated"),
    ):
        assert refusal(project.http.post("/v1/packs", content=raw)) == (400, slug)
    questions: list[Any] = [
        {"context": "x", "packs": []},
        {"context": "sha256:" + "0" * 64, "packs": ["../../etc/passwd"]},
        [],
    ]
    for asked in questions:
        assert project.http.post("/v1/packs/missing", json=asked).status_code == 422

    assert kept(stack).files == before.files
    assert missing(project, content) == [pack_of(content).name]


@both_ways
def test_a_file_that_changes_while_it_is_sent_is_told_and_a_second_try_sends_it(
    project: HttpApi, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Even if nothing but its content shows the change: the service counts again."""
    tree = prepare(root).upload.tree
    assert tree is not None
    wrong = {line: "0" * 64 for line in tree.lines if line.endswith(" d3/f3")}
    monkeypatch.setattr(StatCache, "load", lambda _: wrong)
    with pytest.raises(ContextError) as raised:
        send(project, root)
    monkeypatch.undo()

    assert raised.value.slug == "context-file-changed"
    assert send(project, root).digest == by_tar(project, root)


def _by_command(api: HttpApi, context: LocalContext) -> None:
    ground = Alone(api.url, 30, common_headers("0", api.token))
    run_alone(Wire(Connection(ground)).send(context.upload))


def _by_sdk(api: HttpApi, context: LocalContext) -> None:
    with Client(api.url, token=api.token) as client:
        client.upload_context(context)


@both_ways
@pytest.mark.parametrize("upload", [_by_command, _by_sdk])
def test_a_file_that_goes_while_it_is_looked_for_is_told(
    project: HttpApi, root: Path, upload: Callable[[HttpApi, LocalContext], None]
) -> None:
    context = prepare(root)
    (root / "d6" / "f398").unlink()

    with pytest.raises(ContextError) as raised:
        upload(project, context)

    assert raised.value.slug == "context-file-changed"


@settings(max_examples=int(os.environ.get("MUTATIONS", "12")))
@given(ROUNDS, st.sampled_from([0, incremental.AHEAD]))
def test_however_a_tree_changes_both_ways_come_to_the_same(
    project: HttpApi, tmp_path_factory: pytest.TempPathFactory, rounds: list[list[tuple[Any, ...]]], ahead: int
) -> None:
    root = tmp_path_factory.mktemp("mutated")
    (root / "Dockerfile").write_text("FROM scratch\n")
    (root / "ballast").write_bytes(bytes(200_000))
    for edits in rounds:
        for what in edits:
            mutate(root, what)

        with patch.object(incremental, "AHEAD", ahead):
            assert send(project, root).digest == by_tar(project, root)
