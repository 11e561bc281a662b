"""A spec becomes the query of POST /build, and logins the headers."""

from __future__ import annotations

import base64
import json

import pytest

from shipway.models.credentials import RegistryLogin
from shipway.models.spec import BuildSpec
from workers.engine.logins import auth_header, config_header, login_for
from workers.engine.parameters import buildkit_parameters, classic_parameters, solve_request

CONTEXT = "sha256:" + "0" * 64
ADA = RegistryLogin(username="ada", password="p:w")


def decoded(header: str) -> object:
    return json.loads(base64.urlsafe_b64decode(header))


def test_every_option_is_named_as_the_api_names_it() -> None:
    spec = BuildSpec(
        context=CONTEXT,
        dockerfile="a/Dockerfile",
        tags=("x:1",),
        build_args={"A": "1"},
        labels={"l": "2"},
        cache_from=("y:2",),
        target="t",
        platform="linux/arm64",
        network="host",
        no_cache=True,
        pull=True,
    )

    pairs = dict(buildkit_parameters(spec, session="s", build_id="b"))

    assert pairs == {
        "version": "2", "remote": "client-session", "session": "s", "buildid": "b", "dockerfile": "a/Dockerfile",
        "buildargs": '{"A": "1"}', "labels": '{"l": "2"}', "cachefrom": '["y:2"]', "target": "t",
        "platform": "linux/arm64", "networkmode": "host", "nocache": "1", "pull": "1",
    }  # fmt: skip


def test_buildkit_is_asked_for_the_same_as_the_daemon_would_ask() -> None:
    spec = BuildSpec(
        context=CONTEXT,
        dockerfile="a/Dockerfile",
        build_args={"A": "1", "BUILDKIT_INLINE_CACHE": "1"},
        labels={"l": "2"},
        cache_from=("y:2", "z:1"),
        target="t",
        platform="linux/arm64",
        network="host",
        no_cache=True,
        pull=True,
        extra_hosts=("a:1.2.3.4", "b=::1"),
        build_contexts={"more:latest": CONTEXT, "image": "docker-image://x", "code": "https://x.test/y.git"},
    )

    request = solve_request(spec, session="s", build_id="b")

    assert dict(request.FrontendAttrs) == {
        "frontend.caps": "moby.buildkit.frontend.contexts+forward", "filename": "a/Dockerfile",
        "build-arg:A": "1", "build-arg:BUILDKIT_INLINE_CACHE": "1", "label:l": "2", "cache-from": "y:2,z:1",
        "target": "t", "platform": "linux/arm64", "force-network-mode": "host", "no-cache": "",
        "image-resolve-mode": "pull", "add-hosts": "a=1.2.3.4,b=::1",
        "context:more": "local:named-more", "context:image": "docker-image://x:latest",
        "context:code": "https://x.test/y.git",
    }  # fmt: skip
    assert (request.Ref, request.Session, list(request.Entitlements)) == ("b", "s", ["network.host"])
    assert [entry.Type for entry in request.Cache.Exports] == ["inline"]


def test_classic_builder_removes_its_containers_and_has_no_session() -> None:
    pairs = dict(classic_parameters(BuildSpec(context=CONTEXT), dockerfile="D"))

    assert pairs == {"version": "1", "rm": "1", "forcerm": "1", "dockerfile": "D"}


def test_hosts_are_repeated_and_written_with_a_colon() -> None:
    spec = BuildSpec(context=CONTEXT, extra_hosts=("a:1.2.3.4", "b=::1", "c:::1"))

    hosts = [value for name, value in classic_parameters(spec, dockerfile="D") if name == "extrahosts"]

    assert hosts == ["a:1.2.3.4", "b:::1", "c:::1"]


@pytest.mark.parametrize("asked", ["registry-1.docker.io", "https://index.docker.io/v1/", "docker.io"])
def test_login_for_the_hub_is_found_under_any_name(asked: str) -> None:
    assert login_for(asked, {"index.docker.io": ADA}) == ADA
    assert login_for(asked, {"example.org": ADA}) is None


def test_push_always_sends_a_login_if_only_an_empty_one() -> None:
    assert decoded(auth_header("r:5000", None)["X-Registry-Auth"]) == {}
    assert decoded(auth_header("r:5000", ADA)["X-Registry-Auth"]) == {
        "username": "ada",
        "password": "p:w",
        "serveraddress": "r:5000",
    }


def test_classic_builder_gets_all_logins_under_dockers_own_keys() -> None:
    sent = decoded(config_header({"docker.io": ADA, "r:5000": ADA})["X-Registry-Config"])

    assert isinstance(sent, dict)
    assert set(sent) == {"https://index.docker.io/v1/", "r:5000"}
    assert config_header({}) == {}


def test_identity_token_goes_without_a_name() -> None:
    token = RegistryLogin(username="<token>", password="T")

    assert decoded(auth_header("r:5000", token)["X-Registry-Auth"]) == {
        "identitytoken": "T",
        "serveraddress": "r:5000",
    }
