"""What links and names of files lead to, in Markdown sources and in the site made of them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

FENCE = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.*)$", re.MULTILINE)
TARGET = re.compile(r"^\(([\w-]+)\)=$", re.MULTILINE)
FILE = re.compile(r"`((?:\.ci|bench|deploy|docs|examples|service|shipway|tests|workers)/[\w./-]*)`")
LOADED = {"img": "src", "script": "src", "link": "href", "source": "src", "iframe": "src"}
"""What a browser fetches by itself."""


def anchors(text: str) -> set[str]:
    """The anchors that GitHub and Sphinx give to a page's headings."""
    headings = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in HEADING.findall(_bare(text))]
    return {*headings, *TARGET.findall(text)}


def faults_of(page: Path, repository: Path, generated: Path) -> Iterator[str]:
    """Links of a page that lead nowhere, and files named in it that don't exist; `generated` is made by the build."""
    text = page.read_text()
    where = page.relative_to(repository)
    for link in LINK.findall(_bare(text)):
        parts = urlsplit(link)
        target = (page.parent / unquote(parts.path)).resolve() if parts.path else page
        if parts.scheme or target.is_relative_to(generated):
            continue
        if not target.exists():
            yield f"{where}: {link} does not exist"
        elif parts.fragment and parts.fragment not in anchors(target.read_text()):
            yield f"{where}: {link} has no such heading"
    yield from (f"{where}: there is no {name}" for name in FILE.findall(text) if not (repository / name).exists())


class Page(HTMLParser):
    """Ids, links and fetched files of one page of the site."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.links: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what the tag names."""
        given = {name: value for name, value in attrs if value is not None}
        self.ids.update(given[name] for name in ("id", "name") if name in given)
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if LOADED.get(tag, "") in given:
            self.fetched.append(given[LOADED[tag]])


def faults_of_site(site: Path) -> Iterator[str]:
    """Links and anchors of the site that lead nowhere, and what a browser would fetch from elsewhere."""
    pages = {path: Page(path.read_text()) for path in site.rglob("*.html")}
    for path, page in pages.items():
        where = path.relative_to(site)
        yield from (f"{where} fetches {url}" for url in page.fetched if urlsplit(url).netloc)
        for link in {*page.links, *page.fetched}:
            parts = urlsplit(link)
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if parts.scheme or parts.netloc:
                continue
            if not target.exists():
                yield f"{where}: {link} does not exist"
            elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
                yield f"{where}: {link} has no such anchor"


def _bare(text: str) -> str:
    """Without code blocks, in which nothing is a link or a heading."""
    return FENCE.sub("", text)
