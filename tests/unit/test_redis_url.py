import pytest

from shipway.redis_url import Sentinels


def test_url_of_a_server_is_none_of_sentinels() -> None:
    assert Sentinels.of("redis://localhost:6379/0") is None


def test_sentinels_with_all_they_can_be_told() -> None:
    found = Sentinels.of("sentinel://us%40er:p%3Aw@one:1,two,[::1]:3/main/4")

    assert found == Sentinels((("one", 1), ("two", 26379), ("::1", 3)), "main", 4, "us@er", "p:w")


def test_sentinels_with_the_least() -> None:
    assert Sentinels.of("sentinel://one/main") == Sentinels((("one", 26379),), "main")


def test_broker_has_a_url_for_each_sentinel() -> None:
    found = Sentinels((("one", 1), ("::1", 2)), "main", 3, None, "p:w")

    assert found.broker == "sentinel://:p%3Aw@one:1/3;sentinel://:p%3Aw@[::1]:2/3"


@pytest.mark.parametrize("url", ["sentinel://one", "sentinel:///main", "sentinel://one:x/main", "sentinel://one,/m"])
def test_url_that_cannot_be_read_is_refused_without_being_told(url: str) -> None:
    with pytest.raises(ValueError, match="not of the form") as refusal:
        Sentinels.of(url)

    assert url not in str(refusal.value)
