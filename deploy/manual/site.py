"""Generates the reference pages and has Sphinx make the site. A warning is an error."""

from __future__ import annotations

import json
from pathlib import Path

from sphinx.cmd.build import build_main

from deploy.manual import api, commands, configuration, metrics
from service.main import create_app

REPOSITORY = Path(__file__).resolve().parents[2]
DOCS = REPOSITORY / "docs"
REFERENCE = DOCS / "reference"


def generate() -> None:
    """Write docs/reference/ anew."""
    described = create_app().openapi()
    pages = {
        "api.md": api.page(described),
        "openapi.json": json.dumps(described, indent=1),
        "commands.md": commands.page(),
        "configuration.md": configuration.page(),
        "metrics.md": metrics.page(),
    }
    REFERENCE.mkdir(exist_ok=True)
    for name, text in pages.items():
        path = REFERENCE / name
        if not path.exists() or path.read_text() != text:  # what is unchanged need not be read again
            path.write_text(text)


def build(into: Path) -> None:
    """Make the site.

    Raises:
        RuntimeError: a page has a fault, such as a link that leads nowhere; Sphinx has printed which.
    """
    generate()
    doctrees = into.with_name(f"{into.name}-doctrees")
    if build_main(["-b", "html", "-q", "-W", "--keep-going", "-d", str(doctrees), str(DOCS), str(into)]):
        raise RuntimeError("the manual has faults")
