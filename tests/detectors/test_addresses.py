from __future__ import annotations

import pyarrow as pa
import pytest

from detectors.addresses import ADDRESSES, addresses
from detectors.manifest_tables import bounds


@pytest.mark.parametrize(
    ("text", "family", "hexadecimal", "network"),
    [
        ("192.0.2.10", 4, "c000020a", "192.0.2.0/24"),
        ("::ffff:192.0.2.10", 4, "c000020a", "192.0.2.0/24"),
        ("::FFFF:c000:20a", 4, "c000020a", "192.0.2.0/24"),
        ("2001:DB8:9::1", 6, "20010db8000900000000000000000001", "2001:db8:9::/48"),
        ("fe80::1%eth0", 6, "fe800000000000000000000000000001", "fe80::/48"),
        ("::", 6, "0" * 32, "::/48"),
    ],
)
def test_every_spelling_of_an_address_has_the_same_digits(
    text: str, family: int, hexadecimal: str, network: str
) -> None:
    (row,) = addresses(pa.table({"src_ip": [text]})).to_pylist()
    assert row == {"src_ip": text, "family": family, "hexadecimal": hexadecimal, "network": network}


@pytest.mark.parametrize(
    "text",
    ["", "-", "cloudformation.amazonaws.com", "AWS Internal", "192.0.2.300", "192.0.2.010", "1:2:3", "%", "1::2::3"],
)
def test_what_is_no_address_has_no_row(text: str) -> None:
    found = addresses(pa.table({"src_ip": [text]}))
    assert found.num_rows == 0
    assert found.schema == ADDRESSES


def test_digits_compare_with_the_bounds_of_a_network() -> None:
    inside, outside = addresses(pa.table({"src_ip": ["2001:db8:1:ff::", "2001:db8:2::"]})).to_pylist()
    network = bounds("2001:db8:1::/48")
    assert network["low"] <= inside["hexadecimal"] <= network["high"]
    assert not network["low"] <= outside["hexadecimal"] <= network["high"]
