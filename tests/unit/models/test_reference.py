from __future__ import annotations

import pytest

from shipway.models.reference import is_registry, registry_host


@pytest.mark.parametrize(
    ("name", "host"),
    [
        ("https://index.docker.io/v1/", "docker.io"),
        ("registry-1.docker.io", "docker.io"),
        ("http://127.0.0.1:5000/v2/", "127.0.0.1:5000"),
        ("Reg.Example.Org", "reg.example.org"),
    ],
)
def test_a_registrys_many_names_are_one(name: str, host: str) -> None:
    assert registry_host(name) == host


@pytest.mark.parametrize("name", ["", "a b", "..", "a/b", "reg:port", "-a", "a\n"])
def test_what_is_no_host_is_no_registry(name: str) -> None:
    assert not is_registry(name)
