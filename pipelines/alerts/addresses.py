"""Which network addresses alerts may be sent to: none of the host's own services, unless that is what was asked for.

A URL in the configuration, or whoever answers its DNS, must not make WorkerTrail talk to a cloud's
metadata service (server-side request forgery). Private addresses are allowed: SIEMs live there.
"""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address

METADATA = frozenset(
    ipaddress.ip_address(text)
    for text in (
        "169.254.169.254",
        "fd00:ec2::254",
        "fd20:ce::254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
    )
)
"""Metadata services of AWS, Google Cloud, Alibaba Cloud, Azure and Oracle Cloud."""

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_THIS_NETWORK = ipaddress.IPv4Network("0.0.0.0/8")


def is_loopback_name(host: str) -> bool:
    """Whether a URL's host names this machine by itself: 127.0.0.0/8, ::1 or localhost."""
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def refusal(address: str, *, loopback: bool) -> str | None:
    """Why nothing is sent to an IP address, or null where it may be.

    With `loopback` the address must be a loopback one, without it must not.
    """
    ip = _unwrapped(ipaddress.ip_address(address.partition("%")[0]))
    if ip in METADATA:
        return f"{address} is a cloud's metadata service"
    if ip.is_link_local:
        return f"{address} is a link-local address"
    if ip.is_multicast or ip.is_unspecified or (isinstance(ip, IPv4Address) and ip in _THIS_NETWORK):
        return f"{address} is no host's address"
    if ip.is_loopback and not loopback:
        return f"{address} is a loopback address, but the URL does not name this machine"
    if loopback and not ip.is_loopback:
        return f"{address} is no loopback address, but the URL names this machine"
    return None


def _unwrapped(ip: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address inside an IPv6 one that only wraps it (mapped, 6to4, NAT64)."""
    if isinstance(ip, IPv4Address):
        return ip
    inner = ip.ipv4_mapped or ip.sixtofour
    if inner is None and ip in _NAT64:
        inner = IPv4Address(int(ip) & 0xFFFFFFFF)
    return inner or ip
