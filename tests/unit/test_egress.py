"""Which addresses a URL may lead to, checked on the address itself."""

from __future__ import annotations

import socket

import pytest

from shipway.egress import Egress
from shipway.settings import Settings

INSIDE = [
    "127.0.0.1",
    "127.255.255.254",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "192.168.1.1",
    "100.64.0.1",
    "169.254.169.254",
    "224.0.0.1",
    "239.255.255.250",
    "255.255.255.255",
    "::",
    "::1",
    "fe80::1",
    "fe80::1%eth0",
    "fc00::1",
    "fd00:ec2::254",
    "ff02::1",
    "::ffff:127.0.0.1",
    "::ffff:169.254.169.254",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "2002:7f00:1::",
    "2002:a9fe:a9fe::1",
    "2001:0:4136:e378:8000:63bf:80ff:fffe",
]


@pytest.mark.parametrize("address", INSIDE)
def test_address_that_is_not_public_is_refused(address: str) -> None:
    assert not Egress().permits(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]
)
def test_public_address_is_permitted(address: str) -> None:
    assert Egress().permits(address)


def test_allowed_network_is_permitted_in_every_form_of_its_addresses() -> None:
    egress = Egress("10.1.0.0/16, ::1")

    assert egress.permits("10.1.2.3")
    assert egress.permits("::ffff:10.1.2.3")
    assert egress.permits("::1")
    assert not egress.permits("10.2.0.1")
    assert not egress.permits("127.0.0.1")


def test_socket_is_not_even_made_for_a_refused_address() -> None:
    with pytest.raises(PermissionError):
        Egress().socket((socket.AF_INET, socket.SOCK_STREAM, 6, "", ("169.254.169.254", 80)))


def test_setting_that_is_no_network_is_told_at_the_start() -> None:
    with pytest.raises(ValueError, match="fetch_allow"):
        Settings(fetch_allow="127.0.0.1/33")
