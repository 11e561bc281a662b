"""Requests that ask for what can't be are refused at the door: status, slug, field, and nothing left behind."""

from __future__ import annotations

import base64
import json
import socket
from contextlib import closing
from http.client import HTTPConnection
from typing import Any
from urllib.parse import urlencode

import pytest

from deploy.local.stack import Stack
from tests.integration.contexts import once, script, tar_of
from tests.integration.http_api import TAR, HttpApi, refusal
from tests.integration.leftovers import kept

pytestmark = pytest.mark.engine_independent

UNKNOWN = "sha256:" + "5" * 64
NESTED = "[" * 50_000
JSON = {"Content-Type": "application/json"}
OPTIONS: dict[str, tuple[dict[str, Any], str, str]] = {
    "path in an image name": ({"tags": ["x/../../containers/json"]}, "invalid-image-name", "tags.0"),
    "capitals in an image name": ({"tags": ["good:1", "Bad:1"]}, "invalid-image-name", "tags.1"),
    "space in a tag": ({"tags": ["a b"]}, "invalid-image-name", "tags.0"),
    "tag of 200 characters": ({"tags": ["a:" + "b" * 200]}, "invalid-image-name", "tags.0"),
    "empty image name": ({"tags": [""]}, "invalid-image-name", "tags.0"),
    "query in an image name": ({"tags": ["a?b=c"]}, "invalid-image-name", "tags.0"),
    "NUL in an image name": ({"tags": ["a\0b"]}, "invalid-image-name", "tags.0"),
    "path in cache_from": ({"cache_from": ["../x"]}, "invalid-image-name", "cache_from.0"),
    "push of nothing": ({"push": True}, "push-without-tag", "tags"),
    "Dockerfile above the context": ({"dockerfile": "../Dockerfile"}, "dockerfile-outside-context", "dockerfile"),
    "Dockerfile by an absolute path": ({"dockerfile": "/etc/passwd"}, "dockerfile-outside-context", "dockerfile"),
    "build arg of 1 MB": ({"build_args": {"A": "x" * 10**6}}, "invalid-request", "build_args.A"),
    "label of 1 MB": ({"labels": {"A": "x" * 10**6}}, "invalid-request", "labels.A"),
    "600 build args": ({"build_args": {f"A{n}": "" for n in range(600)}}, "invalid-request", "build_args"),
    "build arg that is no text": ({"build_args": {"A": 1}}, "invalid-request", "build_args.A"),
    "NUL in a build arg": ({"build_args": {"A": "a\0b"}}, "invalid-request", "build_args.A"),
    "NUL in a target": ({"target": "a\0b"}, "invalid-request", "target"),
    "NUL in an extra host": ({"extra_hosts": ["a:1\0"]}, "invalid-request", "extra_hosts.0"),
    "line end in an extra host": ({"extra_hosts": ["a:1.1.1.1\nb:2"]}, "invalid-request", "extra_hosts.0"),
    "half a character": ({"build_args": {"A": "\ud800"}}, "invalid-request", "build_args.A"),
    "half a character in a path": ({"dockerfile": "\ud800"}, "invalid-request", "dockerfile"),
    "half a character in a target": ({"target": "\ud800"}, "invalid-request", "target"),
    "half a character in a name": ({"labels": {"\ud800": ""}}, "invalid-request", "labels.\ufffd\ufffd\ufffd.[key]"),
    "unknown field": ({"tag": "x"}, "invalid-request", "tag"),
    "secret that is not base64": ({"secrets": {"a": "!"}}, "invalid-request", "secrets.a"),
    "login without a password": ({"registries": {"a": {"username": "u"}}}, "invalid-request", "registries.a.password"),
    "no such builder": ({"builder": "kaniko"}, "invalid-request", "builder"),
    "no such platform": ({"platform": "linux; rm -rf /"}, "invalid-request", "platform"),
    "network that is a path": ({"network": "../x"}, "invalid-request", "network"),
    "timeout of no time": ({"timeout": 0}, "invalid-request", "timeout"),
    "timeout of a year": ({"timeout": 31_536_000}, "invalid-request", "timeout"),
    "timeout that is no number": ({"timeout": float("nan")}, "invalid-request", "timeout"),
    "endless priority": ({"priority": float("inf")}, "invalid-request", "priority"),
    "tags that are no list": ({"tags": "x"}, "invalid-request", "tags"),
    "digest that is none": ({"context": "../../x"}, "invalid-request", "context"),
}


@pytest.fixture(scope="module")
def context(stack: Stack) -> str:
    """A context that is there."""
    with HttpApi(stack.service.url, stack.token) as api:
        return api.upload(script("FROM scratch", "LABEL a=b"))


@pytest.mark.parametrize("what", OPTIONS)
def test_wrong_option_is_refused_by_its_name(api: HttpApi, stack: Stack, context: str, what: str) -> None:
    options, slug, field = OPTIONS[what]
    before = kept(stack)

    # json.dumps writes what httpx refuses to: NaN and lone surrogates are what a hostile client may send.
    answer = api.http.post("/v1/builds", content=json.dumps({"context": context, **options}), headers=JSON)

    assert refusal(answer) == (422, slug)
    assert answer.json()["error"]["field"] == field
    assert len(answer.content) < 2000
    assert kept(stack) == before


@pytest.mark.parametrize("field", ["context", "dockerfile_context"])
def test_unknown_context_is_told_as_such(api: HttpApi, stack: Stack, context: str, field: str) -> None:
    before = kept(stack)

    answer = api.http.post("/v1/builds", json={"context": context, field: UNKNOWN})

    assert refusal(answer) == (404, "context-unknown")
    assert answer.json()["error"]["field"] == field
    assert kept(stack) == before


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"{'a': 1}", b'"', b"\xff\xfe{}", NESTED.encode(), b'{"a":' * 50_000, b"[1,]", b'{"a": "\x00"}'],
    ids=["empty", "cut", "quotes", "cut string", "not UTF-8", "deep list", "deep object", "comma", "NUL"],
)
def test_malformed_json_is_told_as_such(api: HttpApi, stack: Stack, body: bytes) -> None:
    before = kept(stack)

    answer = api.http.post("/v1/builds", content=body, headers=JSON)

    assert refusal(answer) == (422, "json-invalid")
    assert kept(stack) == before


@pytest.mark.parametrize("body", [b"null", b"[]", b"1", b'"x"', b"{}", b"NaN"])
def test_json_that_is_no_request_is_refused(api: HttpApi, body: bytes) -> None:
    assert refusal(api.http.post("/v1/builds", content=body, headers=JSON))[0] == 422


def test_json_of_many_megabytes_is_refused(api: HttpApi, stack: Stack) -> None:
    before = kept(stack)

    answer = api.http.post("/v1/builds", content=b'{"a":"' + b"x" * 9 * 2**20 + b'"}', headers=JSON)

    assert refusal(answer) == (413, "body-too-large")
    assert kept(stack) == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/contexts"),
        ("DELETE", "/v1/builds"),
        ("POST", "/v1/jobs"),
        ("PUT", "/v1/jobs/1"),
        ("GET", "/v1/jobs/1/cancel"),
        ("POST", "/metrics"),
    ],
)
def test_wrong_method_is_told_with_the_right_ones(api: HttpApi, method: str, path: str) -> None:
    answer = api.http.request(method, path)

    assert refusal(answer) == (405, "method-not-allowed")
    assert answer.headers["allow"]


@pytest.mark.parametrize("kind", ["text/plain", "multipart/form-data; boundary=x", "application/jsonx", "x" * 5000])
def test_wrong_content_type_is_told_as_such(api: HttpApi, stack: Stack, kind: str) -> None:
    before = kept(stack)

    answer = api.http.post("/v1/builds", content=b"{}", headers={"Content-Type": kind})

    assert refusal(answer) == (415, "content-type-unsupported")
    assert kept(stack) == before


def test_missing_content_type_of_a_post_is_told_as_such(api: HttpApi) -> None:
    assert refusal(api.http.post("/v1/builds", content=b"{}")) == (415, "content-type-unsupported")


def test_path_that_leads_nowhere_is_told_as_such(api: HttpApi) -> None:
    assert refusal(api.http.get("/v1/nothing")) == (404, "route-unknown")


QUERIES: dict[str, tuple[dict[str, str | list[str]], str, str]] = {
    "unknown name": ({"squash": "1"}, "parameter-unknown", "squash"),
    "invalid tag": ({"t": "x/../../containers/json"}, "invalid-image-name", "tags.0"),
    "one invalid tag of two": ({"t": ["good", "B"]}, "invalid-image-name", "tags.1"),
    "arguments that are no JSON": ({"buildargs": "A=1"}, "invalid-request", "buildargs"),
    "arguments nested deeply": ({"buildargs": "[" * 20_000}, "invalid-request", "buildargs"),
    "labels that are a list": ({"labels": "[]"}, "invalid-request", "labels"),
    "timeout that is no number": ({"timeout": "soon"}, "invalid-request", "timeout"),
    "Dockerfile above the context": ({"dockerfile": "../x"}, "dockerfile-outside-context", "dockerfile"),
    "push of nothing": ({"push": "1"}, "push-without-tag", "tags"),
}


@pytest.mark.parametrize("what", QUERIES)
def test_wrong_parameter_is_refused_before_the_upload_is_read(api: HttpApi, stack: Stack, what: str) -> None:
    query, slug, field = QUERIES[what]
    before = kept(stack)
    url = f"/v1/builds?{urlencode(query, doseq=True)}"

    with closing(HTTPConnection("127.0.0.1", stack.service.port, timeout=10)) as connection:
        connection.putrequest("POST", url)
        connection.putheader("Authorization", f"Bearer {api.token}")
        connection.putheader("Content-Type", "application/x-tar")
        connection.putheader("Content-Length", str(10**9))
        connection.endheaders()  # and not one byte of the body
        answer = connection.getresponse()
        error = json.loads(answer.read())["error"]

    assert (answer.status, error["slug"], error["field"]) == (422, slug, field)
    assert kept(stack) == before


@pytest.mark.parametrize(
    "header",
    [b"!", "é".encode(), *(base64.b64encode(text) for text in (b"{", b'{"a": 1}', b"[1]", b"[" * 20_000))],
    ids=repr,
)
def test_registry_header_that_is_none_is_refused(api: HttpApi, stack: Stack, header: bytes) -> None:
    before = kept(stack)
    archive = tar_of(script("FROM scratch"))

    headers = {b"Content-Type": TAR["Content-Type"].encode(), b"X-Registry-Config": header}
    answer = api.http.post("/v1/builds", content=archive, headers=headers)

    assert refusal(answer) == (422, "invalid-request")
    assert answer.json()["error"]["field"] == "X-Registry-Config"
    assert kept(stack) == before


@pytest.mark.parametrize("key", ["", "k" * 300])
def test_idempotency_key_of_no_use_is_refused(api: HttpApi, context: str, key: str) -> None:
    answer = api.http.post("/v1/builds", json={"context": context}, headers={"Idempotency-Key": key})

    assert refusal(answer) == (422, "invalid-request")
    assert answer.json()["error"]["field"] == "Idempotency-Key"


@pytest.mark.parametrize("job", ["%00", "..%2f..%2fmetrics", "a" * 100, "a b", "*", "shipway:job:1"])
@pytest.mark.parametrize("path", ["", "/events", "/log", "/cancel"])
def test_job_id_that_can_be_none_is_refused(api: HttpApi, job: str, path: str) -> None:
    method = "POST" if path == "/cancel" else "GET"

    status, slug = refusal(api.http.request(method, f"/v1/jobs/{job}{path}"))

    assert (status, slug) in [(404, "job-unknown"), (404, "route-unknown"), (422, "invalid-request")]


@pytest.mark.parametrize("query", [{"limit": "0"}, {"limit": "1000000"}, {"state": "done"}, {"kind": "x"}])
def test_wrong_filter_of_the_list_is_refused(api: HttpApi, query: dict[str, str]) -> None:
    answer = api.http.get("/v1/jobs", params=query)

    assert refusal(answer) == (422, "invalid-request")
    assert answer.json()["error"]["field"] == next(iter(query))


def test_header_of_a_megabyte_ends_the_connection_and_not_the_service(api: HttpApi, stack: Stack) -> None:
    with socket.create_connection(("127.0.0.1", stack.service.port), timeout=10) as connection:
        try:
            connection.sendall(b"GET /v1/jobs HTTP/1.1\r\nHost: x\r\nX-Much: " + b"x" * 2**20 + b"\r\n\r\n")
            answer = connection.recv(64)
        except ConnectionError:  # refused before it was all sent
            answer = b""

    assert answer[:12] in (b"", b"HTTP/1.1 400", b"HTTP/1.1 431")
    assert api.http.get("/readyz").status_code == 200


def test_bytes_that_are_no_http_get_an_answer_and_do_no_harm(api: HttpApi, stack: Stack) -> None:
    with socket.create_connection(("127.0.0.1", stack.service.port), timeout=10) as connection:
        connection.sendall(b"\x16\x03\x01\x00hello\r\n\r\n")
        answer = connection.recv(64)

    assert answer.startswith(b"HTTP/1.1 400")
    assert api.http.get("/healthz").status_code == 200


def test_secret_in_a_refused_request_is_not_repeated(api: HttpApi, context: str) -> None:
    word = once()

    answer = api.http.post("/v1/builds", json={"context": context, "secrets": {"a": f"!{word}"}, "tags": [1]})

    assert refusal(answer)[0] == 422
    assert word not in answer.text
