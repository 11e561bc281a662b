"""Makes pages of templates, and gives them the headers that keep foreign script and style out."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from service.console import figures
from shipway import __version__
from shipway.models.job import counted_steps, names_of
from shipway.models.reference import Reference

FOLDER = Path(__file__).parent
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}

_templates = Environment(
    loader=FileSystemLoader(FOLDER / "templates"),
    autoescape=True,
    trim_blocks=True,
    lstrip_blocks=True,
    undefined=StrictUndefined,
)
_templates.filters |= {
    "seconds": figures.seconds,
    "size": figures.size,
    "share": figures.share,
    "ago": figures.ago,
    "iso": figures.iso,
    "clock": figures.clock,
    "names": names_of,
    "counted": counted_steps,
    "repository": lambda name: Reference.parse(name).name,
}
_templates.globals |= {"version": __version__, "now": time.time}


def page(template: str, status: int = 200, **values: Any) -> HTMLResponse:
    """Render a template as an answer."""
    return HTMLResponse(_templates.get_template(template).render(values), status_code=status, headers=HEADERS)
