"""The tables that the engine reads manifests from, and their versions."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from detectors.located import Problems
from detectors.manifest import Manifest, load_manifests
from detectors.manifest_tables import BEGINNING, END, Version, tables, version_of
from tests.detectors.manifests import FULL, folder, minimal


def version(worker: str, since: datetime | None, **more: Any) -> Version:
    return version_of(Manifest.model_validate(minimal(worker, **more)), since)


def test_versions_follow_each_other() -> None:
    versions = [
        version("w1", datetime(2026, 3, 1), owner="second"),
        version("w1", None, owner="first"),
        version("w1", datetime(2026, 4, 1), owner="first"),
        version("w2", datetime(2026, 2, 1), owner="only", mode="delegated", valid={"revoked_at": "2026-06-01"}),
    ]
    made_tables = tables(versions)
    rows = made_tables["manifest_versions"].to_pylist()
    assert [(row["worker"], row["owner"], row["valid_from"], row["valid_to"]) for row in rows] == [
        ("w1", "first", BEGINNING, datetime(2026, 3, 1)),
        ("w1", "second", datetime(2026, 3, 1), datetime(2026, 4, 1)),
        ("w1", "first", datetime(2026, 4, 1), END),
        ("w2", "only", BEGINNING, END),
    ]
    assert rows[3]["revoked_at"] == datetime(2026, 6, 1)
    assert made_tables["identities"].num_rows == 3
    assert tables(reversed(versions)) == made_tables


def test_tables_of_the_designs_example(tmp_path: Path) -> None:
    (manifest,) = load_manifests(folder(tmp_path, support=FULL))
    made_tables = tables([version_of(manifest)])
    lines = made_tables["scope_lines"].to_pylist()
    assert [(row["kind"], row["ordinal"], row["effect"], row["line"]) for row in lines] == [
        ("api", 0, "deny", 16),
        ("api", 1, "allow", 17),
        ("net", 2, "allow", 19),
        ("model", 3, "allow", 20),
        ("tool", 4, "allow", 21),
    ]
    assert lines[0]["service"] == ["s3.amazonaws.com"]
    assert lines[0]["resources"] is None
    assert lines[4]["tools"] == ["read\\_%"]
    assert all(row["file"] == str(tmp_path / "support.yaml") for row in lines)
    assert [(row["measure"], row["at_most"], row["per_seconds"]) for row in made_tables["limits"].to_pylist()] == [
        ("bytes_out", 2e8, 3600),
        ("denied", 20.0, 3600),
        ("token_lifetime", 3600.0, None),
        ("hops", 4.0, None),
    ]
    four, six = made_tables["networks"].to_pylist()
    assert (four["low"], four["high"], four["low_int"], four["high_int"]) == (
        "0a280000",
        "0a28ffff",
        10 * 2**24 + 40 * 2**16,
        10 * 2**24 + 41 * 2**16 - 1,
    )
    assert (six["family"], six["low"], six["high"]) == (6, "20010db8" + "0" * 24, "20010db8" + "f" * 24)
    assert [row["uid"] for row in made_tables["identities"].to_pylist() if row["shared"]] == [
        "proxy:user/egress/svc-agents"
    ]


def test_a_stored_document_that_cannot_be_read_is_named() -> None:
    with pytest.raises(Problems, match=r"w1\.yaml:1: stored version abc: .*'owner' is missing"):
        tables([Version(None, '{"worker":"w1","identities":[],"scope":[]}', "w1.yaml", "abc")])
