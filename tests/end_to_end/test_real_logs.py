"""The whole pipeline over real logs that nobody here wrote."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.end_to_end.small import Estate
from tests.machine import shared

CONFIG = """
lake: {{catalog: "sqlite:lake/catalog.sqlite", data: lake/files}}
workers: workers
sources:
  - {{name: stratus, format: cloudtrail, from: "{data}/stratus-red-team/*.json"}}
  - {{name: discover, format: cloudtrail, from: "{data}/traildiscover/*.cloudtrail"}}
  - {{name: plaso, format: cloudtrail, from: "{data}/plaso/aws_cloudtrail.jsonl"}}
  - {{name: proxy, format: squid, from: "{data}/squid/*.log"}}
  - {{name: okta, format: okta, org: corp.okta.example, from: "logs/okta/*"}}
"""


@pytest.fixture(scope="module")
def estate(tmp_path_factory: pytest.TempPathFactory) -> Estate:
    made = Estate(tmp_path_factory.mktemp("real"))
    made.config.write_text(CONFIG.format(data=shared()), encoding="utf-8")
    lines = (shared("panther-analysis") / "panther_tests.jsonl").read_text(encoding="utf-8").splitlines()
    events = [json.loads(line) for line in lines]
    texts = [json.dumps(one["event"]) for one in events if one["log_type"] == "Okta.SystemLog"]
    made.put("okta", "\n".join(texts) + "\n")
    made.run()
    return made


def test_every_record_is_accounted_for(estate: Estate) -> None:
    rows = estate.rows(
        "SELECT source, sum(records) AS n, sum(errors) AS errors FROM objects GROUP BY source ORDER BY 1"
    )
    assert {row["source"] for row in rows} == {"stratus", "discover", "plaso", "proxy", "okta"}
    off = estate.rows("SELECT * FROM objects WHERE records <> actions + errors + duplicates + skipped")
    assert off == []
    # Four Okta events of that set have no uuid or no published; everything else is well formed.
    assert {row["source"]: int(row["errors"]) for row in rows if row["errors"]} == {"okta": 4}


def test_every_issued_key_that_is_used_later_leads_to_its_issuing_record(estate: Estate) -> None:
    used = estate.rows(
        """
        SELECT DISTINCT g.child_uid, g.action_uid, b.path
        FROM grants AS g
        JOIN actions AS a ON a.credential_uid = g.child_uid
        JOIN bindings AS b ON b.uid = g.child_uid
        WHERE g.kind = 'issue' AND g.parent_uid IS NOT NULL AND g.child_uid LIKE 'aws:key/%'
          AND a.time >= g.issued_at - INTERVAL 1 SECOND
        """
    )
    assert len(used) == 2
    for row in used:
        assert row["path"][0]["from"] == row["child_uid"]
        assert row["path"][0]["evidence"] == row["action_uid"]


def test_tampering_by_the_attackers_is_found(estate: Estate) -> None:
    titles = [row["title"] for row in estate.rows("SELECT title FROM findings WHERE detector = 'log_tampering'")]
    for operation in ("PutEventSelectors", "DeleteResolverQueryLogConfig", "DeleteFlowLogs"):
        assert any(operation in title for title in titles)


def test_nothing_of_it_is_attributed_to_a_worker_that_no_manifest_declares(estate: Estate) -> None:
    assert estate.rows("SELECT DISTINCT worker FROM attributions WHERE worker IS NOT NULL") == []


def test_the_files_are_where_they_were(estate: Estate) -> None:
    uris = [row["object_uri"] for row in estate.rows("SELECT object_uri FROM objects WHERE source = 'stratus'")]
    assert len(uris) == len(list(Path(shared("stratus-red-team")).glob("*.json")))
