"""The user's folders are where platformdirs says they are."""

from __future__ import annotations

import subprocess
import sys

import pytest
from platformdirs import user_cache_path, user_config_path

from shipway.client.folders import cache_folder, config_folder


@pytest.mark.parametrize("home", [None, "", "/", "/home/ann", "/home/ann/", "home", "~", " /home/ann"])
@pytest.mark.parametrize("xdg", [None, "", "/ssd", "/ssd/", "/ssd//a/../b ", "ssd", " ", "~/ssd", " /ssd"])
def test_they_are_where_platformdirs_says(home: str | None, xdg: str | None, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"HOME": home, "XDG_CACHE_HOME": xdg, "XDG_CONFIG_HOME": xdg}
    for name, value in given.items():
        monkeypatch.delenv(name, raising=False)
        if value is not None:
            monkeypatch.setenv(name, value)

    assert cache_folder() == user_cache_path("shipway")
    assert config_folder() == user_config_path("shipway")


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it takes platformdirs to tell")
def test_usually_nothing_is_loaded_to_tell_them() -> None:
    code = (
        "import sys; from shipway.client.folders import cache_folder as cache, config_folder as config; "
        "cache(); config(); sys.exit('platformdirs' in sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], env={"HOME": "/home/ann"}, check=True)
