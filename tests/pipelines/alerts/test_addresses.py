"""Where alerts may be sent to."""

from __future__ import annotations

import pytest

from pipelines.alerts.addresses import is_loopback_name, refusal


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "168.63.129.16",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "0.0.0.0",
        "0.1.2.3",
        "::",
        "224.0.0.1",
        "ff02::1",
        "127.0.0.1",
        "::1",
        "::ffff:127.0.0.1",
    ],
)
def test_addresses_of_the_hosts_own_services_are_refused(address: str) -> None:
    assert refusal(address, loopback=False)


@pytest.mark.parametrize(
    "address", ["192.0.2.7", "10.1.2.3", "192.168.0.9", "2001:db8::5", "fd12::5", "64:ff9b::c000:207"]
)
def test_other_addresses_private_ones_too_are_not(address: str) -> None:
    assert refusal(address, loopback=False) is None
    assert refusal(address, loopback=True), "but not for a URL that names this machine"


def test_loopback_is_for_urls_that_name_it() -> None:
    assert refusal("127.0.0.1", loopback=True) is None
    assert refusal("::1", loopback=True) is None
    assert all(is_loopback_name(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "[::1]", "localhost", "LOCALHOST"))
    assert not any(
        is_loopback_name(host) for host in ("localhost.example", "127.1", "10.0.0.1", "example", "0177.0.0.1")
    )
