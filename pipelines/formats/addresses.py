"""IP addresses and host names as logs write them, brought to one spelling; each distinct text is read once."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from detectors import manifest_values

if TYPE_CHECKING:
    Texts: TypeAlias = pa.ChunkedArray[Any]

_IPV4 = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,3}){3}")
_OCTET = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
_PLAIN_IPV4 = rf"^(?:{_OCTET}\.){{3}}{_OCTET}$"
_PLAIN_HOST = r"^[a-z0-9._-]*[a-z0-9_-]$"
"""A name that is spelled already as it is compared."""

_OUTSIDE_HOST = re.compile(r"[\x00-\x20\x7f/?#@\\]")


def addresses(texts: Texts) -> Texts:
    """Each text as a canonical IP address (RFC 5952), null where it is none."""
    plain = pc.match_substring_regex(texts, _PLAIN_IPV4)
    odd = _each_distinct(pc.if_else(plain, pa.scalar(None, pa.string()), texts), address)
    spelled: Texts = pc.if_else(plain, texts, odd)
    return spelled


def hosts(texts: Texts) -> Texts:
    """Each text as a host name: lower case, A-labels, no trailing dot; or an IP literal; null where it is neither."""
    plain = pc.match_substring_regex(texts, _PLAIN_HOST)
    odd = _each_distinct(pc.if_else(plain, pa.scalar(None, pa.string()), texts), host)
    spelled: Texts = pc.if_else(plain, texts, odd)
    return spelled


def address(text: str) -> str | None:
    """`[FE80::1%eth0]` is `fe80::1`, `::ffff:192.0.2.1` is `192.0.2.1`, `010.000.000.001` is `10.0.0.1`.

    Zeros in front are padding: a log writes decimal numbers of a fixed width, never octal ones.
    """
    bare = text.strip().removeprefix("[").removesuffix("]").split("%", 1)[0]
    if _IPV4.fullmatch(bare):
        octets = [int(part) for part in bare.split(".")]
        return ".".join(map(str, octets)) if max(octets) < 256 else None
    try:
        found = ipaddress.IPv6Address(bare)
    except ValueError:
        return None
    return str(found.ipv4_mapped or found)


def host(text: str) -> str | None:
    """`API.Example.` is `api.example`, `straße.example` is `xn--strae-oqa.example` (IDNA 2008), `[::1]` is `::1`."""
    if text.startswith("["):
        return address(text)
    name = text.lower().rstrip(".")
    if not name or _OUTSIDE_HOST.search(name):
        return None
    if name.isascii():
        return name
    try:
        return manifest_values.host(text).rstrip(".")  # an ideographic full stop at the end is one too
    except ValueError:
        # No A-label exists (RFC 5891): the name stays as it was written, so that it still can be seen.
        return name


def _each_distinct(texts: Texts, read: Callable[[str], str | None]) -> Texts:
    distinct = pc.unique(texts)
    spelled = pa.array([None if text is None else read(text) for text in distinct.to_pylist()], pa.string())
    each: Texts = pa.chunked_array([spelled]).take(pc.index_in(texts, distinct))
    return each
