"""The commands that look at images on workers (`images`, `history`, `inspect`), and those that let workers rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from shipway.cli.arguments import ImageFilters
from shipway.cli.listing import with_client
from shipway.cli.naming import matches, resolved
from shipway.cli.tables import ago, console, print_json, table
from shipway.cli.text import one_line, size
from shipway.client import AsyncClient
from shipway.models.image import HistoryEntry, ImageDescription, ImageOnWorker
from shipway.models.reference import Reference
from shipway.models.worker import Worker

_SHORT_ID = 12
_SHORT_LINE = 45
_NONE = "<none>"


def list_images(
    url: str | None, name: str | None, filters: ImageFilters, *, as_json: bool, quiet: bool, no_trunc: bool
) -> int:
    """Print the images on all workers, newest first: all, or those of one repository or that pass filters."""
    known = [image for image in with_client(url, AsyncClient.images) if _passes(image, filters)]
    found = [image for image in known if name is None or list(_named(image, name))]
    found.sort(key=lambda image: (-image.created, image.id, image.worker))
    if as_json:
        print_json({"images": [image.model_dump(mode="json") for image in found]})
        return 0
    if quiet:
        for image_id in dict.fromkeys(image.id for image in found):
            print(image_id if no_trunc else _short(image_id))
        return 0
    listed = table("REPOSITORY", "TAG", "IMAGE ID", "WORKER", "SINCE", "CREATED", "SIZE", folding="REPOSITORY")
    for image in found:
        for repository, tag in _named(image, name):
            shown = image.id if no_trunc else _short(image.id)
            times = (ago(image.since), ago(image.created))
            listed.add_row(repository, tag, shown, one_line(image.worker), *times, size(image.size))
    console().print(listed)
    return 0


def ask_history(url: str | None, image: str, worker: str | None) -> tuple[HistoryEntry, ...]:
    """Ask how an image came about, newest line first."""

    async def ask(client: AsyncClient) -> tuple[HistoryEntry, ...]:
        return await client.history(await resolved(client, image), worker=worker)

    return with_client(url, ask)


def print_history(lines: Iterable[HistoryEntry], *, human: bool, as_json: bool, quiet: bool, no_trunc: bool) -> int:
    """Print how an image came about."""
    if as_json:
        print_json([line.model_dump(mode="json") for line in lines])
        return 0
    if quiet:
        for line in lines:
            print(line.id if no_trunc else _short(line.id))
        return 0
    listed = table("IMAGE", "CREATED", "CREATED BY", "SIZE", "COMMENT", folding="CREATED BY")
    for line in lines:
        by = one_line(line.created_by)
        shown = by if no_trunc or len(by) <= _SHORT_LINE else f"{by[: _SHORT_LINE - 1]}…"
        shown_id = line.id if no_trunc else _short(line.id)
        created = ago(line.created) if human else datetime.fromtimestamp(line.created, UTC).isoformat()
        listed.add_row(shown_id, created, shown, size(line.size) if human else str(line.size), one_line(line.comment))
    console().print(listed)
    return 0


def inspect_images(url: str | None, images: list[str], *, worker: str | None) -> int:
    """Print what workers know of images, as a JSON list."""

    async def ask(client: AsyncClient) -> list[ImageDescription]:
        return [await client.inspect(await resolved(client, image), worker=worker) for image in images]

    print_json([image.model_dump(mode="json") for image in with_client(url, ask)])
    return 0


def rest_worker(url: str | None, name: str, *, on: bool) -> int:
    """Let a worker take no more jobs, or let it take them again."""

    async def ask(client: AsyncClient) -> tuple[Worker, ...]:
        return await (client.drain(name) if on else client.resume(name))

    with_client(url, ask)
    print(name)
    return 0


def _passes(image: ImageOnWorker, filters: ImageFilters) -> bool:
    named = any(matches(tag, pattern) for tag in image.tags for pattern in filters.references)
    return filters.dangling in (None, not image.tags) and (named or not filters.references)


def _named(image: ImageOnWorker, name: str | None) -> Iterator[tuple[str, str]]:
    """Repository and tag for each line of an image: all, or those that fit a name."""
    for tag in image.tags or (f"{_NONE}:{_NONE}",):
        repository, _, word = tag.rpartition(":")
        if name is None or _fits(repository, word, name):
            yield repository, word


def _fits(repository: str, tag: str, name: str) -> bool:
    try:
        wanted = Reference.parse(name)
    except ValueError:
        return False
    return repository == wanted.name and (tag == wanted.tag or not name.endswith(f":{wanted.tag}"))


def _short(image_id: str) -> str:
    return image_id.removeprefix("sha256:")[:_SHORT_ID] if image_id.startswith("sha256:") else image_id
