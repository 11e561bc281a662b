"""Which pool a project has."""

from __future__ import annotations

import pytest

from shipway import pools


def test_projects_of_several_pools() -> None:
    assert pools.read(" gold = a,b ; silver=c;") == {"a": "gold", "b": "gold", "c": "silver"}
    assert pools.read("") == {}


@pytest.mark.parametrize("text", ["gold", "gold=", "=a", "gold=a,", "Gold=a", "gold=A b", "gold=a;silver=a", "gold=*"])
def test_what_says_no_pool_clearly_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"POOL=PROJECT|two pools"):
        pools.read(text)
