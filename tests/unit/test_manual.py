"""The manual can be made, leads nowhere wrong, and fetches nothing from elsewhere; its checks find what they should."""

from __future__ import annotations

from pathlib import Path

import pytest

from deploy.manual import checks, links, site, slugs
from deploy.manual.configuration import page as configuration
from workers.settings import WorkerSettings


@pytest.mark.timeout(300)
def test_site_is_made_without_a_warning_and_every_link_in_it_leads_somewhere(tmp_path: Path) -> None:
    site.build(tmp_path / "site")

    assert checks.faults_of_site(tmp_path / "site") == []
    assert "ShipwayNoWorkers" in (tmp_path / "site/operating.html").read_text()


def test_site_with_a_dead_link_or_a_foreign_script_is_refused(tmp_path: Path) -> None:
    of_links = '<h1 id=top></h1><a href="b.html"></a><a href="#top"></a><a href="#no"></a>'
    (tmp_path / "a.html").write_text(f'{of_links}<script src="//cdn.example/x"></script>')

    told = sorted(links.faults_of_site(tmp_path))

    assert told == ["a.html fetches //cdn.example/x", "a.html: #no has no such anchor", "a.html: b.html does not exist"]


def test_page_that_names_what_is_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "page.md").write_text("# One\n[a](#one) [b](#two) [c](gone.md) `deploy/gone.py`\n")

    told = list(links.faults_of(tmp_path / "page.md", tmp_path, tmp_path / "reference"))

    assert told == [
        "page.md: #two has no such heading",
        "page.md: gone.md does not exist",
        "page.md: there is no deploy/gone.py",
    ]


@pytest.mark.parametrize(
    "source",
    ["raise E('x', slug='found-it')", "slug = 'found-it'", "_rule('found-it', K, r'x')", "SLUGS = {1: 'found-it'}"],
)
def test_slug_is_found_in_each_form_of_definition(tmp_path: Path, source: str) -> None:
    (tmp_path / "service").mkdir()
    (tmp_path / "service/module.py").write_text(source)

    assert slugs.defined(tmp_path) - slugs.OF_STOPS == {"found-it"}


def test_every_setting_is_told_with_a_sentence() -> None:
    for name, field in WorkerSettings.model_fields.items():
        assert field.description, name
        assert f"`SHIPWAY_{name.upper()}`" in configuration()
