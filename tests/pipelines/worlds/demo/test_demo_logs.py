"""The demo world's logs, one by one: what their sources promise of such records holds of these."""

from __future__ import annotations

import re
import uuid
from collections import Counter, defaultdict
from datetime import UTC, datetime, timedelta

ISSUING = {"AssumeRole", "AssumeRoleWithWebIdentity"}
EXPIRATION = "%b %d, %Y, %I:%M:%S %p"


def issued_keys(rows):
    """By access key: its issuing record, and when the key ends."""
    keys = {}
    for row in rows:
        response = row.body["responseElements"]
        if row.body["eventName"] in ISSUING and response:
            credentials = response["credentials"]
            end = datetime.strptime(credentials["expiration"], EXPIRATION).replace(tzinfo=UTC)
            keys.setdefault(credentials["accessKeyId"], (row, end))
    return keys


def test_cloudtrail_records_are_whole(world):
    for row in world.cloudtrail:
        body = row.body
        assert body["eventVersion"] == "1.11"
        assert str(uuid.UUID(body["eventID"])) == body["eventID"]
        assert body["eventSource"].endswith(".amazonaws.com")
        assert re.fullmatch(r"\d{12}", body["recipientAccountId"])
        assert body["managementEvent"] is (body["eventCategory"] == "Management")
        assert isinstance(body["readOnly"], bool)
        assert {"requestParameters", "responseElements", "requestID", "userAgent", "sourceIPAddress"} <= set(body)
        if body["eventSource"] == "s3.amazonaws.com":
            assert {"bytesTransferredIn", "bytesTransferredOut", "SignatureVersion"} <= set(body["additionalEventData"])
            assert body["userAgent"][0] + body["userAgent"][-1] == "[]"
        if body["eventCategory"] == "Data":
            assert body["resources"]
        if not body["userIdentity"].get("invokedBy"):
            assert body["tlsDetails"]["clientProvidedHostHeader"]
    uploaded = [row for row in world.main_trail if row.body["eventName"] == "PutObject" and "errorCode" not in row.body]
    assert all(row.body["additionalEventData"]["bytesTransferredIn"] > 0 for row in uploaded)


def test_sessions_begin_with_their_issuing_record(world):
    keys = issued_keys(world.main_trail)
    assert len(keys) > 1_000
    used = Counter()
    for row in world.main_trail:
        identity = row.body["userIdentity"]
        if identity.get("accessKeyId") not in keys:
            continue
        issue, _ = keys[identity["accessKeyId"]]
        assert identity["sessionContext"]["attributes"]["creationDate"] == issue.body["eventTime"]
        assert identity["sessionContext"]["sessionIssuer"]["arn"] == issue.body["requestParameters"]["roleArn"]
        if "assumedRoleUser" in issue.body["responseElements"]:
            assert identity["principalId"] == issue.body["responseElements"]["assumedRoleUser"]["assumedRoleId"]
            assert identity["arn"] == issue.body["responseElements"]["assumedRoleUser"]["arn"]
        used[identity["accessKeyId"]] += 1
    assert len(used) > 0.9 * len(keys)


def test_issued_keys_are_used_within_their_time_but_for_the_attack(world):
    keys = issued_keys(world.main_trail)
    late = []
    for row in world.main_trail:
        issue, end = keys.get(row.body["userIdentity"].get("accessKeyId"), (None, None))
        if issue is None:
            continue
        assert row.at >= issue.at
        if row.at >= end:
            late.append(row)
    assert {world.of(row)["incident"] for row in late} == {"attack-4"}
    assert all(row.body["errorCode"].startswith("ExpiredToken") for row in late)
    assert all(row.at >= keys[row.body["userIdentity"]["accessKeyId"]][1] + timedelta(hours=1) for row in late)


def test_a_key_that_was_switched_off_is_used_by_the_attack_alone(world):
    off = {
        row.body["requestParameters"]["accessKeyId"]: row.at
        for row in world.main_trail
        if row.body["eventName"] == "UpdateAccessKey"
    }
    (key,) = off
    uses = [row for row in world.main_trail if row.body["userIdentity"].get("accessKeyId") == key]
    after = [row for row in uses if row.at > off[key]]
    assert {world.of(row)["incident"] for row in after} == {"attack-4"}
    assert {"errorCode" in row.body for row in after} == {True, False}
    assert len(uses) - len(after) > 100
    assert {
        row.body["eventName"] for row in world.main_trail if row.body["userIdentity"].get("accessKeyId") != key
    } >= {
        "CreateAccessKey",
        "DeleteAccessKey",
    }


def test_a_key_has_one_network_at_a_time_but_for_the_replay(world):
    seen = defaultdict(set)
    for row in world.main_trail:
        key, address = row.body["userIdentity"].get("accessKeyId"), row.body["sourceIPAddress"]
        if key and re.fullmatch(r"[\d.]+", address):
            seen[key, row.at.replace(minute=0, second=0)].add((address.rpartition(".")[0], world.of(row)["incident"]))
    shared = {place: nets for place, nets in seen.items() if len({net for net, _ in nets}) > 1}
    assert len(shared) == 1
    assert {incident for nets in shared.values() for _, incident in nets} == {"attack-5", None}
    (at,) = {at for _, at in shared}
    assert f"{at:%Y-%m-%d %H}" == "2026-04-05 09"
    replayed = sorted(world.part_of("attack-5", world.main_trail), key=lambda row: row.at)
    agents = {row.body["userAgent"].strip("[]") for row in replayed}
    key = replayed[0].body["userIdentity"]["accessKeyId"]
    others = [r for r in world.main_trail if r.body["userIdentity"].get("accessKeyId") == key and r not in replayed]
    assert agents.isdisjoint({row.body["userAgent"].strip("[]") for row in others})
    meanwhile = [row for row in others if replayed[0].at <= row.at <= replayed[-1].at]
    assert len(meanwhile) > 5


def test_twins_share_an_id_and_little_else(world):
    groups = defaultdict(list)
    for row in world.main_trail:
        if shared := row.body.get("sharedEventID"):
            groups[shared].append(row.body)
    twins = [group for group in groups.values() if len(group) == 2]
    assert len(twins) > 20
    assert any(len(group) == 1 for group in groups.values())
    for first, second in twins:
        assert first["requestID"] == second["requestID"]
        assert first["responseElements"] == second["responseElements"]
        assert first["eventID"] != second["eventID"]
        assert {first["recipientAccountId"], second["recipientAccountId"]} == {"111122223333", "444455556666"}
        assert sorted("accessKeyId" in body["userIdentity"] for body in (first, second)) == [False, True]


def test_the_second_trail_repeats_records_until_it_is_stopped(world):
    main = {row.native_id: row.body for row in world.main_trail}
    assert len(main) == len(world.main_trail)
    copies = [row for row in world.cloudtrail if row.file.startswith("logs/cloudtrail/regional-audit/")]
    assert len(copies) > 1_000
    assert all(main[row.native_id] == row.body for row in copies)
    stopped = next(row.at for row in world.main_trail if row.body["eventName"] == "StopLogging")
    assert max(row.at for row in copies) <= stopped < max(row.at for row in world.main_trail)


def test_a_key_made_for_another_user_is_used_afterwards(world):
    rows = sorted(world.part_of("attack-8", world.main_trail), key=lambda row: row.at)
    made = next(row for row in rows if row.body["eventName"] == "CreateAccessKey")
    key = made.body["responseElements"]["accessKey"]
    assert key["userName"] == "legacy-report"
    assert made.body["userIdentity"]["sessionContext"]["sessionIssuer"]["userName"] == "support-agent"
    used = [row for row in rows if row.body["userIdentity"]["accessKeyId"] == key["accessKeyId"]]
    assert len(used) == 9
    assert {row.body["userIdentity"]["userName"] for row in used} == {"legacy-report"}
    assert min(row.at for row in used) > made.at


def test_squid_lines_hold_the_hard_cases(world):
    users = {row.body["user"] for row in world.squid}
    assert {"svc-agents", "dana fox", "svc-researcher", "svc-research", "-"} <= users
    shared = {world.of(row)["worker"] for row in world.squid if row.body["user"] == "svc-agents"}
    assert shared == {"support-agent", "procurement-agent"}
    refused = [row for row in world.squid if row.body["status"] == "407"]
    assert {row.body["tag"] for row in refused} == {"TCP_DENIED"}
    assert {row.body["user"] == "-" for row in refused} == {True, False}
    assert all(row.body["url"].endswith(":443") for row in world.squid if row.body["method"] == "CONNECT")
    assert {row.body["method"] for row in world.squid} == {"CONNECT", "GET", "POST"}
    uploads = world.part_of("attack-3", world.squid)
    assert sum(int(row.body["up"]) for row in uploads) > 2_950_000_000
    assert {row.body["url"] for row in uploads} == {"uploads.zendesk.example:443"}


def test_squid_files_are_in_the_order_of_ending(world):
    by_file = defaultdict(list)
    for row in world.squid:
        by_file[row.file].append(row.body["time"])
    assert all(times == sorted(times) for times in by_file.values())


def test_okta_events_are_whole(world):
    kinds = Counter((row.body["eventType"], row.body["outcome"]["result"]) for row in world.okta)
    granted = "app.oauth2.as.token.grant.access_token"
    assert kinds[granted, "SUCCESS"] > 1_000
    assert kinds["user.session.start", "FAILURE"] > 20
    assert kinds["app.oauth2.as.token.grant", "FAILURE"] == 1
    assert len({row.native_id for row in world.okta}) == len(world.okta)
    for row in world.okta:
        assert re.fullmatch(r"2026-0[34]-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", row.body["published"])
        if row.body["eventType"] == granted:
            told, body = world.of(row), row.body
            assert body["actor"]["type"] == "PublicClientApp"
            assert body["client"]["id"] == body["actor"]["id"]
            targets = {target["type"]: target for target in body["target"]}
            assert targets["access_token"]["detailEntry"]["expires"] > body["published"]
            assert ("User" in targets) == (told["worker"] == "support-agent")
            if told["delegator"]:
                assert told["delegator"] == f"mail:addr/{targets['User']['alternateId']}"


def test_a_run_crosses_all_three_systems(world):
    systems = defaultdict(set)
    for row in world.rows:
        told = world.of(row)
        if told["run"] and told["worker"]:
            systems[told["run"]].add(row.format)
    whole = sum(found == {"okta", "squid", "cloudtrail"} for found in systems.values())
    assert len(systems) > 1_000
    assert whole / len(systems) > 0.99
