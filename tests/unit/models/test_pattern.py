from __future__ import annotations

import pytest

from shipway.models.pattern import matches


@pytest.mark.parametrize(
    ("pattern", "name", "expected"),
    [
        ("registry.example/team/app", "registry.example/team/app", True),
        ("registry.example/team/app", "registry.example/team/app2", False),
        ("registry.example/team/*", "registry.example/team/app", True),
        ("registry.example/team/*", "registry.example/team/app/cache", False),
        ("registry.example/team/**", "registry.example/team/app/cache", True),
        ("registry.example/team/**", "registry.example/team2/app", False),
        ("registry.example/**", "registry.example.evil/app", False),
        ("*/app", "registry.example/app", True),
        ("*.example/app", "registryxexample/app", False),
        ("**", "127.0.0.1:5000/a/b/c", True),
        ("***", "a/b", True),
        ("refs/heads/release-*", "refs/heads/release-1", True),
        ("a+[b]", "a+[b]", True),
        ("a", "a\n", False),
        ("**", "a\nb", True),
    ],
)
def test_star_stays_within_one_part(pattern: str, name: str, expected: bool) -> None:
    assert matches(pattern, name) is expected
