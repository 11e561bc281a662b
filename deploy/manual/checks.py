"""What must hold of the manual's sources: links lead somewhere, and what the code has is told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import yaml

from deploy.manual import configuration, links, slugs

REPOSITORY = Path(__file__).resolve().parents[2]
GENERATED = REPOSITORY / "docs/reference"
SOURCES = ("shipway", "service", "workers", "deploy", "tests", "bench")
VARIABLE = re.compile(r"\bSHIPWAY_[A-Z][A-Z_0-9]*[A-Z0-9]\b")


def pages() -> list[Path]:
    """All Markdown that people read."""
    of_docs = (page for page in (REPOSITORY / "docs").rglob("*.md") if GENERATED not in page.parents)
    return [*sorted(REPOSITORY.glob("*.md")), *sorted(of_docs)]


def all_faults() -> list[str]:
    """One line for each fault; none when all is well."""
    of_links = (fault for page in pages() for fault in links.faults_of(page, REPOSITORY, GENERATED))
    return [*of_links, *_slugs(), *_alerts(), *_variables()]


def faults_of_site(site: Path) -> list[str]:
    """One line for each fault of the site made in a folder."""
    return list(links.faults_of_site(site))


def _slugs() -> Iterator[str]:
    told = re.findall(r"^\| `([a-z-]+)` \|", (REPOSITORY / "docs/errors.md").read_text(), re.MULTILINE)
    defined = slugs.defined(REPOSITORY)
    yield from (f"docs/errors.md says nothing of {slug}" for slug in sorted(defined - set(told)))
    yield from (f"docs/errors.md tells of {slug}, which no code has" for slug in sorted(set(told) - defined))
    yield from (f"docs/errors.md has {slug} twice" for slug in sorted(set(told)) if told.count(slug) > 1)


def _alerts() -> Iterator[str]:
    rules = yaml.safe_load((REPOSITORY / "deploy/alerts.yml").read_text())
    names = {rule["alert"] for group in rules["groups"] for rule in group["rules"]}
    told = set(re.findall(r"^#+ (Shipway\w+)$", (REPOSITORY / "docs/operating.md").read_text(), re.MULTILINE))
    yield from (f"docs/operating.md says nothing of the alert {name}" for name in sorted(names - told))
    yield from (f"docs/operating.md tells of the alert {name}, which is none" for name in sorted(told - names))


def _variables() -> Iterator[str]:
    """Variables that the code names and the page about configuration doesn't, and those that a page makes up."""
    known = set(VARIABLE.findall(configuration.page()))
    files = [file for folder in SOURCES for file in (REPOSITORY / folder).rglob("*.*") if file.suffix in (".py", ".sh")]
    for file in [*files, REPOSITORY / "Makefile", *pages()]:
        for name in sorted(set(VARIABLE.findall(file.read_text())) - known):
            yield f"{file.relative_to(REPOSITORY)}: no setting is called {name}"
