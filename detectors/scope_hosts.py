"""Hosts in the one spelling in which they are compared, since one address can be written in many ways.

Formats give host names in lower case, as A-labels, without a trailing dot. What is left: a port or a user in front
of or behind the name, brackets around an IPv6 address (RFC 3986, 3.2.2), an IPv4 address as one number or in
octal or hexadecimal (`inet_aton`, what curl and every C library resolve: `http://2852039166/` is 169.254.169.254),
IPv4 inside IPv6 (RFC 4291, 2.5.5.2).
"""

from __future__ import annotations

import ipaddress
import re
import socket

import pyarrow as pa

from detectors.manifest_values import host as compared

SPELLED = pa.schema([("written", pa.string()), ("host", pa.string())])
"""`host` is how the `written` one is compared."""

_NUMBER = "(0x[0-9a-f]+|[0-9]+)"
_NUMERIC = re.compile(rf"{_NUMBER}([.]{_NUMBER}){{0,3}}")
_WITH_PORT = re.compile(r"([^:]*):[0-9]*")
_BRACKETED = re.compile(r"\[([^\]]*)\](:[0-9]*)?")


def odd_hosts_sql() -> str:
    """Hosts that may be spelled in another way than the one in which they are compared."""
    numeric = f"regexp_matches(lower(dst_host), '(^|[.]){_NUMBER}[.]?$')"
    return f"""
    SELECT DISTINCT dst_host AS written FROM attributed
    WHERE category = 'proxy' AND dst_host IS NOT NULL
        AND (regexp_matches(dst_host, '[^A-Za-z0-9._-]') OR {numeric})
    """


def spelled(hosts: pa.Table) -> pa.Table:
    """Of each `written` host the spelling in which it is compared (SPELLED)."""
    written = [str(text) for text in hosts["written"].to_pylist()]
    return pa.table({"written": written, "host": [spell(text) for text in written]}, schema=SPELLED)


def spell(written: str) -> str:
    """`user@[::FFFF:10.0.0.1]:8443` is `10.0.0.1`, `0x7f.1` is `127.0.0.1`, `Bücher.example:443` its A-labels."""
    text = written.rpartition("@")[2].strip().lower()
    bracketed = _BRACKETED.fullmatch(text)
    if bracketed:
        text = bracketed[1]
    elif with_port := _WITH_PORT.fullmatch(text):
        text = with_port[1]
    text = text.rstrip(".")
    try:
        return compared(_dotted(text))
    except ValueError:
        return text


def _dotted(text: str) -> str:
    """An IPv4 address in any of its spellings as four decimal numbers; anything else as it is."""
    if not _NUMERIC.fullmatch(text):
        return text
    try:
        return str(ipaddress.IPv4Address(socket.inet_aton(text)))
    except OSError:
        return text
