"""The primitives: one call in, the frames that it leaves out."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from pipelines.worlds import deeds
from pipelines.worlds.draws import draws
from pipelines.worlds.estate import Role, Worker
from tests.pipelines.worlds.living import estate

AT = datetime(2026, 3, 2, 10, 0, 0, 250_000)
NAT = "203.0.113.10"


def _worker(kind: str) -> Worker:
    return next(one for one in estate().workers if one.kind == kind)


def test_a_run_begins_with_a_token_a_role_and_their_tunnels() -> None:
    worker = _worker("support_agent")
    person = worker.delegators[0]
    session, run, left = deeds.open_run(estate(), worker, AT, 1, draws(1, "run"), person)
    assert left.issuings.select("kind", "client_id", "user_mail", "run").rows() == [
        ("token_granted", worker.okta_client, person.mail, run)
    ]
    assert left.calls["operation"].to_list() == ["AssumeRoleWithWebIdentity"]
    assert left.calls["worker"].to_list() == [worker.name]
    assert left.requests["host"].to_list() == ["corp.okta.example", f"sts.{worker.region}.amazonaws.com"]
    issued = json.loads(left.calls["response"][0])["credentials"]
    assert session["access_key"] == issued["accessKeyId"]
    assert session["issuer_arn"] == worker.roles[0].arn
    assert session["source_identity"] == person.mail


def test_a_key_begins_without_a_record() -> None:
    worker = _worker("legacy_bot")
    session, _, left = deeds.open_run(estate(), worker, AT, 0, draws(1, "run"))
    assert session["access_key"] == worker.keys[0].key
    assert session["identity_type"] == "IAMUser"
    assert left.calls.height == left.requests.height == 0


def test_a_worker_of_the_proxy_alone_has_no_session() -> None:
    session, _, left = deeds.open_run(estate(), _worker("triage_agent"), AT, 0, draws(1, "run"))
    assert session == {}
    assert left.issuings.height == 1


def test_a_role_abroad_leaves_a_twin_in_its_own_account() -> None:
    worker = _worker("ci_deployer")
    session, run, _ = deeds.open_run(estate(), worker, AT, 0, draws(1, "run"))
    abroad = Role("arn:aws:iam::999988887777:role/far", "far", "AROAFAR", "999988887777")
    there, left = deeds.assume(
        session, abroad, AT, truth=deeds.truth(worker.name, run), session_name="x", client="10.40.1.1", user="svc",
        stream=draws(1, "assume"), address=NAT, agent="boto", region="eu-west-1",
    )  # fmt: skip
    own, twin = left.calls.to_dicts()
    assert (own["account"], own["identity_type"]) == (worker.roles[0].account, "AssumedRole")
    assert (twin["account"], twin["identity_type"], twin["access_key"]) == ("999988887777", "AWSAccount", None)
    assert own["shared_id"] == twin["shared_id"]
    assert own["event"] != twin["event"]
    assert left.requests.height == 1
    assert there["arn"] == "arn:aws:sts::999988887777:assumed-role/far/x"


def test_calls_vary_by_row_and_are_built_by_the_table() -> None:
    stream = draws(1, "calls")
    made = deeds.calls(
        {"access_key": "ASIA1", "caller_account": "111122223333"}, deeds.moments(AT, 3, timedelta(hours=1), stream),
        "s3", "GetObject", truth=deeds.truth("w", "run"), resource="arn:aws:s3:::shelf/book-{n}", stream=stream,
        bytes_in=[1, 2, 3], address=NAT, agent="boto", region="eu-west-1",
    )  # fmt: skip
    assert made["resource"].n_unique() == 3
    assert made["bytes_in"].to_list() == [1, 2, 3]
    for resource, request in made.select("resource", "request").iter_rows():
        asked = json.loads(request)
        assert f"arn:aws:s3:::{asked['bucketName']}/{asked['key']}" == resource
    assert made["is_data"].all()
    assert set(made["account"]) == {"111122223333"}


@pytest.mark.parametrize(("service", "operation", "kept"), [("s3", "GetObject", True), ("iam", "GetRole", False)])
def test_a_refused_management_call_keeps_no_request(service: str, operation: str, kept: bool) -> None:
    resource = {"s3": "arn:aws:s3:::shelf/book", "iam": "arn:aws:iam::111122223333:role/r"}[service]
    made = deeds.calls(
        {"access_key": "ASIA1"}, [AT], service, operation, truth=deeds.truth("w"), resource=resource,
        error=("AccessDenied", "no"), bytes_out=900, stream=draws(1, "refused"), address=NAT, agent="boto", region="eu-west-1",
    )  # fmt: skip
    assert (made["request"][0] is not None) is kept
    assert made.select("error_code", "bytes_out").rows() == [("AccessDenied", 0)]


def test_calls_of_an_hour_share_a_tunnel_to_each_endpoint() -> None:
    stream = draws(1, "tunnels")
    session = {"access_key": "ASIA1", "identity_type": "AssumedRole"}
    times = [AT, AT + timedelta(minutes=5), AT + timedelta(minutes=6), AT + timedelta(hours=2)]
    made = deeds.calls(
        session, times, ["s3", "s3", "dynamodb", "s3"], ["PutObject", "PutObject", "PutItem", "PutObject"],
        truth=deeds.truth("w", "run"), stream=stream, bytes_out=[100, 200, 300, 400], address=NAT, agent="boto", region="eu-west-1",
        resource=[*["arn:aws:s3:::shelf/a"] * 2, "arn:aws:dynamodb:eu-west-1:1:table/t", "arn:aws:s3:::shelf/a"],
    )  # fmt: skip
    tunnels = deeds.tunnels_of(made, user="svc", client="10.40.1.1", stream=stream).sort("at")
    assert tunnels["host"].to_list() == [
        "shelf.s3.eu-west-1.amazonaws.com", "dynamodb.eu-west-1.amazonaws.com", "shelf.s3.eu-west-1.amazonaws.com",
    ]  # fmt: skip
    assert tunnels["bytes_out"][0] > 300
    assert tunnels["elapsed_ms"][0] >= 300_000
    assert (tunnels["at"] < made["at"].min()).to_list() == [True, False, False]


def test_a_request_without_a_path_is_a_tunnel() -> None:
    stream, nobody = draws(1, "requests"), deeds.truth(None)
    tunnel = deeds.requests(
        [AT], "drop.example", truth=nobody, stream=stream, client="10.20.0.9", user="ana", agent="curl"
    )
    plain = deeds.requests(
        [AT], "drop.example", truth=nobody, stream=stream, path="/up/{n}", method="POST", client="10.20.0.9",
        user="ana", agent="curl",
    )  # fmt: skip
    assert tunnel.select("method", "port", "path").rows() == [("CONNECT", 443, None)]
    assert plain.select("method", "port").rows() == [("POST", 80)]
    assert plain["path"].str.contains("^/up/[0-9]{5}$").all()
