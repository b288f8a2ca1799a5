"""Truth 5: every claim leads from alert to finding to chain to action to record to an object and its SHA-256."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from collections import defaultdict
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import event, given
from hypothesis import strategies as st

from pipelines.pull import custody
from tests.properties.bounds import examples
from tests.properties.estates import Estate, estate
from tests.properties.records import Key, call
from tests.properties.schedules import Schedule, schedules
from tests.properties.worlds import World, worlds, written

_MARK = re.compile(r"hmac:[0-9a-f]{32}")


def texts_of(made: Estate, item: dict[str, Any]) -> list[str]:
    """The records of an object, read from its file without the product's help: whole, or a range of lines."""
    parts = urlsplit(item["object_uri"])
    with open(unquote(parts.path), "rb") as file:
        file.seek(item["byte_start"])
        content = file.read(item["byte_end"] - item["byte_start"])
    assert hashlib.sha256(content).hexdigest() == item["object_sha256"]
    if content.startswith(b"\x1f\x8b"):
        content = gzip.decompress(content)
    text = content.decode()
    if text.startswith('{"Records"'):
        return [json.dumps(record) for record in json.loads(text)["Records"]]
    if text.startswith("["):
        return [json.dumps(record) for record in json.loads(text)]
    return [line for line in text.splitlines() if line]


def says_the_same(stored: str, original: str) -> bool:
    """The stored text is the original's, but for secrets and the spelling of JSON."""
    if original.startswith("{"):
        return bool(_without_marks(json.loads(stored), json.loads(original)))
    return re.fullmatch(_MARK.sub("[^ ]+", re.escape(stored).replace("hmac\\:", "hmac:")), original) is not None


def _without_marks(stored: Any, original: Any) -> bool:
    if isinstance(stored, str) and _MARK.fullmatch(stored):
        return isinstance(original, str)
    if isinstance(stored, dict) and isinstance(original, dict):
        return stored.keys() == original.keys() and all(_without_marks(stored[key], original[key]) for key in stored)
    if isinstance(stored, list) and isinstance(original, list):
        return len(stored) == len(original) and all(map(_without_marks, stored, original))
    return bool(stored == original)


def whole_names(schedule: Schedule) -> Schedule:
    """The schedule without renames: a file that was renamed is not where its object says any more."""
    return Schedule(schedule.runs, schedule.arrivals, schedule.copied, frozenset(), schedule.only_pulled)


@examples(7)
@given(st.data(), worlds())
def test_every_claim_leads_down_to_the_bytes(data: st.DataObject, world: World) -> None:
    with estate() as one:
        one.follow(whole_names(data.draw(schedules(world, most=3))))
        findings = {row["finding_uid"]: row for row in one.rows("SELECT * FROM findings")}
        chains = {row["chain_id"]: row for row in one.rows("SELECT * FROM chains")}
        actions = {row["action_uid"]: row for row in one.rows("SELECT * FROM actions")}
        told = {row["action_uid"]: row for row in one.rows("SELECT * FROM attributions")}
        via: dict[str, set[str]] = defaultdict(set)
        for row in one.rows("SELECT uid, via_workers FROM bindings"):
            via[row["uid"]].update(row["via_workers"])
        records = {row["record_id"]: row for row in one.rows("SELECT * FROM records")}
        objects = {row["object_uid"]: row for row in one.rows("SELECT * FROM objects WHERE records > 0")}
        frozen = {(row["finding_uid"], row["action_uid"]): row for row in one.rows("SELECT * FROM evidence")}
        event("findings" if findings else "no finding")
        revisions = {(row["finding_uid"], row["revision"]) for row in findings.values()}
        revisions |= {(row["finding_uid"], row["revision"]) for row in one.rows("SELECT * FROM finding_revisions")}
        for alert in one.rows("SELECT * FROM alerts"):
            assert (alert["finding_uid"], alert["revision"]) in revisions
            assert json.loads(alert["payload"])
        for finding in findings.values():
            if finding["status"] == "resolved":
                continue
            assert finding["evidence"], finding
            assert finding["chain_id"] is None or finding["chain_id"] in chains
            for uid in finding["evidence"]:
                action = actions[uid]
                # A finding on a worker that started another one has what that other did for evidence.
                assert finding["worker"] in {told[uid]["worker"], *via[told[uid]["bound_uid"]]}
                assert finding["window_start"] <= action["time"] <= finding["window_end"]
                kept = frozen[finding["finding_uid"], uid]
                assert (kept["record_id"], kept["raw"]) == (action["record_id"], records[action["record_id"]]["raw"])
        for chain in chains.values():
            assert chain["actions"] == sum(
                told[uid]["chain_id"] == chain["chain_id"] for uid, action in actions.items() if action["is_primary"]
            )
        evidence = [hop["evidence"] for row in told.values() for hop in row["path"] or []]
        assert all(uid in actions for uid in evidence if uid is not None)
        read = {uid: texts_of(one, item) for uid, item in objects.items()}
        for action in actions.values():
            record = records[action["record_id"]]
            assert record["outcome"] == "action"
            assert says_the_same(record["raw"], read[record["object_uid"]][record["ordinal"]])
        with one.lake.reading() as connection:
            assert custody.verify(connection.execute("SELECT * FROM objects").to_arrow_table()) == []


CALL = call(Key("ASIA1", "role", "agent"), "cloudtrail", "StopLogging", 5)


@pytest.mark.parametrize("addresses", [("192.0.2.10", "203.0.113.66"), ("203.0.113.66", "192.0.2.10")])
def test_evidence_follows_an_action_whose_uid_goes_to_another_copy(addresses: tuple[str, str]) -> None:
    """Of two copies that differ the one with the lesser hash keeps the uid, whichever came first."""
    with estate() as one:
        for address in addresses:
            record = json.dumps({**CALL, "sourceIPAddress": address})
            one.put("trail", f"{address}.log", written("trail", [record], "lines"))
            one.run()
        frozen = one.rows(
            """
            SELECT e.record_id AS kept, a.record_id AS now, a.flag
            FROM evidence AS e JOIN actions AS a ON a.action_uid = e.action_uid WHERE a.flag IS NULL
            """
        )
        assert frozen
        assert [row for row in frozen if row["kept"] != row["now"]] == []
