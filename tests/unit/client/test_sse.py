from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from shipway.client.sse import ServerSentEvent, SseParser


def read(*chunks: bytes) -> list[ServerSentEvent]:
    parser = SseParser()
    return [event for chunk in chunks for event in parser.feed(chunk)]


def test_an_event_has_id_type_and_data() -> None:
    assert [ServerSentEvent('{"a":1}', "state", "7")] == read(b'id: 7\nevent: state\ndata: {"a":1}\n\n')


def test_comments_and_unknown_fields_are_passed_over() -> None:
    assert [ServerSentEvent("x")] == read(b": ping\n\nretry: 10\nwhatever\ndata: x\n\n")


def test_several_data_lines_are_joined_and_only_one_space_is_dropped() -> None:
    assert [ServerSentEvent(" a\nb")] == read(b"data:  a\ndata:b\n\n")


def test_an_event_without_its_blank_line_is_not_dispatched() -> None:
    assert read(b"id: 7\ndata: x\n") == []


def test_unicode_line_separators_inside_data_are_no_line_ends() -> None:
    text = "a\u2028b\u0085c\x0cd"

    assert [ServerSentEvent(text)] == read(f"data: {text}\n\n".encode())


def test_all_three_line_ends_are_understood_even_when_split() -> None:
    assert [ServerSentEvent("x"), ServerSentEvent("y"), ServerSentEvent("z")] == read(
        b"data: x\r", b"\n\r", b"\ndata: y\r\rdata: z\n\n"
    )


@given(st.lists(st.integers(0, 60), max_size=8))
def test_chunk_borders_do_not_matter(cuts: list[int]) -> None:
    stream = 'id: 1\nevent: log\ndata: {"text":"äöü€"}\r\n\r\n: ping\n\ndata: end\n\n'.encode()
    borders = sorted({0, len(stream), *(cut for cut in cuts if cut < len(stream))})
    chunks = [stream[a:b] for a, b in pairwise(borders)]

    assert [ServerSentEvent('{"text":"äöü€"}', "log", "1"), ServerSentEvent("end", "message", "1")] == read(*chunks)
