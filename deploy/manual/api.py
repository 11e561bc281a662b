"""The page about the HTTP API, from its OpenAPI description."""

from __future__ import annotations

import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

from deploy.manual.markdown import GENERATED, code, prose, table

Schema = dict[str, Any]
"""A JSON schema, or any other part of the description."""

INTRODUCTION = """
# The API

{about}

Every route but `/healthz` and `/readyz` needs `Authorization: Bearer TOKEN` ([tokens](../tokens.md)). The service
describes itself at `/openapi.json`; [this is its description](openapi.json), of version {version}, from which this
page is made.
Slugs and what to do about them: [errors](../errors.md).
"""
MODELS = "\n## Models\n\nWhat bodies and answers are made of. A field without a default must be given.\n"


def page(described: Schema) -> str:
    """All routes by subject, then the models they use."""
    info = described["info"]
    by_tag: dict[str, list[str]] = {}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            by_tag.setdefault(operation["tags"][0], []).append(_route(method, path, operation))
    routes = "".join(f"\n## {tag.capitalize()}\n{''.join(texts)}" for tag, texts in by_tag.items())
    models = "".join(_model(name, schema) for name, schema in sorted(described["components"]["schemas"].items()))
    about = INTRODUCTION.format(about=prose(info["description"]), version=info["version"])
    return GENERATED + about + routes + MODELS + models


def _route(method: str, path: str, operation: Schema) -> str:
    parts = [f"\n### {method.upper()} {prose(path)}\n", f"**{prose(operation['summary'])}.**"]
    if told := operation.get("description"):
        parts[-1] += f" {prose(told)}"
    parts[-1] += "\n"
    if parameters := operation.get("parameters"):
        parts.append(table(["parameter", "in", "type", "meaning"], map(_parameter, parameters)))
    if body := operation.get("requestBody"):
        parts.append(f"Body: {' or '.join(_contents(body['content']))}.\n")
    parts.append(f"Answers: {'; '.join(_answers(operation['responses']))}.\n")
    return "\n".join(parts)


def _parameter(parameter: Schema) -> list[str]:
    schema = parameter["schema"]
    return [code(parameter["name"]), parameter["in"], _type(schema), _meaning({**schema, **parameter}, parameter)]


def _contents(content: Schema) -> Iterator[str]:
    for kind, media in content.items():
        schema = media.get("schema", {})
        yield f"{code(kind)} ({_type(schema)})" if "$ref" in schema else code(kind)


def _answers(responses: Schema) -> Iterator[str]:
    """Successes with what they hold; errors all hold the same, so their codes say enough."""
    for status, answer in sorted(responses.items()):
        if int(status) < HTTPStatus.BAD_REQUEST:
            held = " or ".join(_contents(answer.get("content", {})))
            yield f"{code(status)} {held}".strip()
    errors = [code(status) for status in sorted(responses) if int(status) >= HTTPStatus.BAD_REQUEST]
    if errors:
        yield f"errors {', '.join(errors)}"


def _model(name: str, schema: Schema) -> str:
    """One model under a target of its own, for a subject may have the same name."""
    head = f"\n({_target(name)})=\n### {name}\n\n"
    if told := schema.get("description"):
        head += f"{prose(told)}\n\n"
    if "enum" in schema:
        return head + f"One of {', '.join(map(code, schema['enum']))}.\n"
    required = schema.get("required", ())
    fields = schema.get("properties", {}).items()
    rows = ([code(field), _type(part), _meaning(part, {"required": field in required})] for field, part in fields)
    return head + table(["field", "type", "meaning"], rows)


def _type(schema: Schema) -> str:
    if ref := schema.get("$ref"):
        name = ref.rpartition("/")[2]
        return f"[{name}](#{_target(name)})"
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(map(_type, schema[several])))
    if values := schema.get("enum", [schema["const"]] if "const" in schema else []):
        return " or ".join(map(code, values))
    held = schema.get("items") or schema.get("additionalProperties")
    kind = {"array": "list"}.get(schema.get("type", ""), schema.get("type", "anything"))
    return f"{kind} of {_type(held)}" if isinstance(held, dict) else str(kind)


def _meaning(schema: Schema, place: Schema) -> str:
    told = prose(schema.get("description", ""))
    if place.get("required"):
        return f"{told} (required)".strip()
    default = schema.get("default")
    return told if default in (None, "", [], {}) else f"{told} (default {code(json.dumps(default))})".strip()


def _target(name: str) -> str:
    return f"model-{name.lower()}"
