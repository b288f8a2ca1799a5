"""Where calls came from: address texts of any spelling, as digits that compare with a manifest's networks.

Spellings are those of RFC 4291 and RFC 5952 for IPv6 and dotted decimals for IPv4. A zone (`%eth0`, RFC 4007) is
left out, and an IPv4 address that is written as IPv6 (`::ffff:192.0.2.1`) is IPv4.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Iterator
from typing import Any

import pyarrow as pa

from detectors.engine import Engine

_COLUMNS: dict[str, pa.DataType] = {
    "src_ip": pa.string(),
    "family": pa.int64(),
    "hexadecimal": pa.string(),
    "network": pa.string(),
}
ADDRESSES = pa.schema(_COLUMNS)
"""One row a text that is an address: `family` 4 or 6, 8 or 32 lower-case hexadecimal `hexadecimal` digits, and the
`network` around it, /24 or /48, which is what a site is commonly given. A text that is none (the name of a service
that calls on behalf of somebody) has no row."""

PREFIXES = {4: 24, 6: 48}
"""Bits of the network around an address, by family."""


def let_addresses(engine: Engine) -> None:
    """Make `addresses` (ADDRESSES) of the distinct `src_ip` of `attributed`."""
    engine.let("address_texts", "SELECT DISTINCT src_ip FROM attributed WHERE src_ip IS NOT NULL")
    engine.each("addresses", "address_texts", addresses, ADDRESSES)


def addresses(texts: pa.Table) -> pa.Table:
    """ADDRESSES of the column `src_ip` of `texts`, which holds every text once."""
    return pa.Table.from_pylist(list(rows(filter(None, texts.column("src_ip").to_pylist()))), ADDRESSES)


def rows(texts: Iterable[str]) -> Iterator[dict[str, Any]]:
    """Rows of ADDRESSES for those of the texts that are addresses."""
    for text in texts:
        address = _address(text)
        if address is not None:
            network = ipaddress.ip_network((address, PREFIXES[address.version]), strict=False)
            yield {
                "src_ip": text,
                "family": address.version,
                "hexadecimal": f"{int(address):0{address.max_prefixlen // 4}x}",
                "network": str(network),
            }


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text.split("%", 1)[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, ipaddress.IPv6Address) else None
    return mapped or address
