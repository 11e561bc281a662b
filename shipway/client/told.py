"""What the service tells, with the attributes of its models but unchecked: for who only shows it, without Pydantic."""

from __future__ import annotations

from typing import Any


class Told:
    """A JSON object read by attributes: what isn't there is None, lists are tuples.

    It stands in for a model of `shipway.models` wherever one is only read.
    """

    __slots__ = ("fields",)

    def __init__(self, fields: dict[str, Any]) -> None:
        self.fields = fields

    def __getattr__(self, name: str) -> Any:
        return _told(self.fields.get(name))


def _told(value: Any) -> Any:
    if isinstance(value, dict):
        return Told(value)
    if isinstance(value, list):
        return tuple(map(_told, value))
    return value
