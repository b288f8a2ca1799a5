import pyarrow as pa
import pytest

from detectors import manifest_values
from pipelines.formats.addresses import addresses, hosts


def _texts(*values: str | None) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array(values[:1], pa.string()), pa.array(values[1:], pa.string())])


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("192.000.002.010", "192.0.2.10"),
        ("192.0.2.256", None),
        ("192.0.2.1.", None),
        ("192.0.2", None),
        ("2001:DB8:0:0:0:0:0:1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("::ffff:c000:201", "192.0.2.1"),
        ("fe80::1%eth0", "fe80::1"),
        ("cloudtrail.amazonaws.com", None),
        ("", None),
        (None, None),
    ],
)
def test_addresses(written: str | None, canonical: str | None):
    assert addresses(_texts("10.0.0.1", written, written)).to_pylist() == ["10.0.0.1", canonical, canonical]


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("API.Example.", "api.example"),
        ("Bücher.example", "xn--bcher-kva.example"),
        ("Straße.example", "xn--strae-oqa.example"),
        ("api\u3002Bücher\uff0eexample\u3002", "api.xn--bcher-kva.example"),
        ("crm_1.bücher.EXAMPLE.", "crm_1.xn--bcher-kva.example"),
        ("ﬁle.example", "file.example"),
        ("*.bücher.example", "*.xn--bcher-kva.example"),
        ("b*ü.example", "b*ü.example"),
        ("[2001:DB8::1]", "2001:db8::1"),
        ("203.0.113.5", "203.0.113.5"),
        ("0x7f.1", "0x7f.1"),
        ("a b", None),
        ("", None),
        ("\x1b[2J", None),
        ("ü" * 300, "ü" * 300),
        (None, None),
    ],
)
def test_hosts(written: str | None, canonical: str | None):
    assert hosts(_texts("a.example", written)).to_pylist() == ["a.example", canonical]


@pytest.mark.parametrize(
    "name", ["Straße.example", "bücher.example", "ΣΑΣ.example", "münchen。example", "日本語.example"]
)
def test_hosts_are_spelled_as_manifests_spell_them(name: str):
    assert hosts(_texts("a.example", name)).to_pylist()[1] == manifest_values.host(name)


def test_nothing_is_nothing():
    assert len(addresses(pa.chunked_array([], pa.string()))) == 0
    assert len(hosts(pa.chunked_array([], pa.string()))) == 0
