"""Completes the API's description: a body that a handler reads by itself, and errors of routes that answer text."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from shipway.models.request import BuildRequest

_SCHEMAS = "#/components/schemas/{model}"
BUILD_REQUEST = {"$ref": _SCHEMAS.format(model="BuildRequest")}
_ERROR = {"application/json": {"schema": {"$ref": _SCHEMAS.format(model="ErrorAnswer")}}}


class Described(FastAPI):
    """An app whose description is whole."""

    def openapi(self) -> dict[str, Any]:
        """Describe the API; made once."""
        fresh = self.openapi_schema is None
        schema = super().openapi()
        if fresh:
            _add_build_request(schema["components"]["schemas"])
            _tell_errors_as_json(schema["paths"])
        return schema


def _add_build_request(schemas: dict[str, Any]) -> None:
    described = BuildRequest.model_json_schema(ref_template=_SCHEMAS)
    for name, part in (*described.pop("$defs", {}).items(), ("BuildRequest", described)):
        schemas.setdefault(name, part)


def _tell_errors_as_json(paths: dict[str, Any]) -> None:
    """FastAPI gives a route's errors the media type of its success, which for logs and events is not JSON."""
    for operations in paths.values():
        for operation in operations.values():
            for code, answer in operation["responses"].items():
                if int(code) >= 400:  # noqa: PLR2004 - where errors begin
                    answer["content"] = _ERROR
