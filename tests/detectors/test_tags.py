from __future__ import annotations

import pytest

from detectors import tags


@pytest.mark.parametrize(
    "tag",
    [
        "owasp.asi02",
        "owasp.nhi10",
        "maestro.compromised-agents",
        "nist.ai-rmf.measure-2.13",
        "attack.t1078.004",
        "attack.t1685.002",
        "atlas.aml.t0086",
        "atlas.aml.t0091.000",
    ],
)
def test_valid(tag: str) -> None:
    assert tags.fault(tag) is None
    assert tags.label(tag)


@pytest.mark.parametrize(
    "tag",
    [
        "owasp.asi11",
        "owasp.nhi0",
        "maestro.memory-manipulation",
        "nist.ai-rmf.measure-2.14",
        "nist.measure-2.4",
        "attack.T1078",
        "attack.t1078.4",
        "atlas.t0086",
        "sigma.x",
        "asi02",
        "",
    ],
)
def test_invalid_says_what_to_write(tag: str) -> None:
    assert tags.fault(tag)


def test_a_technique_that_the_current_version_renamed_is_refused_with_its_new_id() -> None:
    assert tags.fault("attack.t1562.008") == "ATT&CK v19 calls it attack.t1685.002"


def test_every_subcategory_of_the_ai_rmf() -> None:
    assert len(tags.NIST) == 72
    assert set(tags.NIST_NAMES) <= tags.NIST


def test_every_named_technique_is_valid() -> None:
    cited = [f"attack.{name}" for name in tags.ATTACK_NAMES] + [f"atlas.{name}" for name in tags.ATLAS_NAMES]
    assert [tag for tag in cited if tags.fault(tag)] == []
    assert not set(tags.ATTACK_NAMES) & set(tags.ATTACK_RETIRED)


def test_labels() -> None:
    assert tags.label("owasp.asi02") == "ASI02 Tool Misuse and Exploitation"
    assert tags.label("maestro.lateral-movement") == "MAESTRO Lateral Movement (L4, Cross-Layer)"
    assert tags.label("nist.ai-rmf.map-3.5") == "MAP 3.5 Human-oversight processes"
    assert tags.label("attack.t1078.004") == "T1078.004 Cloud Accounts"
    assert tags.label("attack.t1999") == "T1999"
