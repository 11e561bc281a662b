"""Completes the API's description: bodies that a handler reads by itself, what any body may meet, errors as JSON."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI

from service.errors import CODES
from shipway.models.request import BuildRequest

_SCHEMAS = "#/components/schemas/{model}"
BUILD_REQUEST = {"$ref": _SCHEMAS.format(model="BuildRequest")}
OF_BODIES = (400, 408, 413, 422)
"""What may come of any body: it can't be read, comes too slowly, is too large, or says what no body may."""
_ERROR = {"application/json": {"schema": {"$ref": _SCHEMAS.format(model="ErrorAnswer")}}}


class Described(FastAPI):
    """An app whose description is whole."""

    def openapi(self) -> dict[str, Any]:
        """Describe the API; made once."""
        fresh = self.openapi_schema is None
        schema = super().openapi()
        if fresh:
            _add_build_request(schema["components"]["schemas"])
            for operations in schema["paths"].values():
                for operation in operations.values():
                    _add_errors_of_bodies(operation)
                    _tell_errors_as_json(operation["responses"])
        return schema


def _add_build_request(schemas: dict[str, Any]) -> None:
    described = BuildRequest.model_json_schema(ref_template=_SCHEMAS)
    for name, part in (*described.pop("$defs", {}).items(), ("BuildRequest", described)):
        schemas.setdefault(name, part)


def _add_errors_of_bodies(operation: dict[str, Any]) -> None:
    if "requestBody" in operation:
        for code in OF_BODIES:
            operation["responses"].setdefault(str(code), {"description": CODES[code]["description"]})


def _tell_errors_as_json(responses: dict[str, Any]) -> None:
    """FastAPI gives a route's errors the media type of its success, which for logs and events is not JSON."""
    for code, answer in responses.items():
        if int(code) >= 400:  # noqa: PLR2004 - where errors begin
            answer["content"] = _ERROR
