"""Issuings written as Auth0 logs them are read back as they happened."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import duckdb
import polars as pl
import pytest

from pipelines.formats.auth0 import FORMAT
from pipelines.worlds.emit import emitters
from pipelines.worlds.emit.auth0 import ALTERNATIVE
from pipelines.worlds.emit.emitter import LOGGED
from pipelines.worlds.happenings import ISSUINGS, frame
from tests.pipelines.formats.format_rows import granted, read
from tests.pipelines.worlds import living, tale

AT = datetime(2026, 3, 2, 9, 30, 15, 250_000)
TENANT = str(ALTERNATIVE.entry(tale.ESTATE)["tenant"])


def _written(issuings: pl.DataFrame) -> list[str]:
    known: dict[str, object] = {"delivered_at": None, "shard": "", "late": False, "is_copy": False, "issued": True}
    logged = issuings.with_columns(
        ALTERNATIVE.clock.alias("logged_at"),
        *(pl.lit(value, LOGGED[name]).alias(name) for name, value in known.items()),
    )
    with duckdb.connect() as connection:
        connection.register("happened", logged.to_arrow())
        return [text for (text,) in connection.execute(f"SELECT {ALTERNATIVE.text} FROM happened").fetchall()]


def _issuing(kind: str, **changes: Any) -> list[str]:
    given = {"at": [AT], "event": "e1", "kind": kind, "client_id": "0oa1", "user_id": "00u1", "address": "10.40.0.7",
             "agent": 'cli "x" \\', "transaction": "tx1", "target_id": "0oa9", **changes}  # fmt: skip
    return _written(frame(ISSUINGS, given))


def test_a_token_for_a_client_on_behalf_of_a_person():
    texts = _issuing("token_granted", token_id="t1", grant_type="authorization_code")
    (row,) = read(FORMAT, texts, TENANT)
    assert (row["principal"], row["delegator"]) == (f"oauth:client/{TENANT}#0oa1", f"oidc:subject/{TENANT}#00u1")
    assert (row["time"], row["src_ip"], row["user_agent"], row["native_id"]) == (AT, "10.40.0.7", 'cli "x" \\', "e1")
    (issued,) = granted(FORMAT, texts, TENANT)
    assert issued["child_uid"] == f"oauth:token/{TENANT}#t1"


@pytest.mark.parametrize(
    ("kind", "operation", "status"),
    [
        ("token_granted", "seacft", "success"),
        ("token_refused", "feacft", "failure"),
        ("token_revoked", "srrt", "success"),
        ("login", "s", "success"),
        ("login_failed", "fp", "failure"),
        ("key_created", "sapi", "success"),
        ("policy_changed", "sapi", "success"),
    ],
)
def test_each_kind_is_an_event(kind: str, operation: str, status: str):
    (row,) = read(FORMAT, _issuing(kind), TENANT)
    assert (row["api_operation"], row["status"]) == (operation, status)


def test_a_key_for_another_client_is_known_as_one():
    (row,) = read(FORMAT, _issuing("key_created"), TENANT)
    assert (row["obtains"], row["resource_uid"]) == ("other", "/api/v2/clients/0oa9/credentials")
    assert read(FORMAT, _issuing("key_created", reason="denied"), TENANT)[0]["status"] == "denied"


def test_a_lived_world_is_read_whole():
    issuings = living.lived().issuings.head(2000)
    rows = read(FORMAT, _written(issuings), TENANT)
    assert {row["outcome"] for row in rows} == {"action"}
    assert [row["native_id"] for row in rows] == issuings["event"].to_list()
    tokens = issuings.filter(pl.col("kind") == "token_granted")
    assert len(granted(FORMAT, _written(tokens), TENANT)) == len(tokens)


def test_a_world_has_this_log_only_where_it_is_asked_for():
    assert "auth0" not in {emitter.format for emitter in emitters()}
