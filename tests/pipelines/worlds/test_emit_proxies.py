"""Requests written as other proxies than Squid log them are read back as they happened."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import duckdb
import polars as pl
import pytest

from pipelines.worlds import deeds
from pipelines.worlds.draws import draws
from pipelines.worlds.emit import emitters, envoy, haproxy, nginx
from pipelines.worlds.emit.emitter import LOGGED, Emitter
from tests.pipelines.formats.proxy_lines import read
from tests.pipelines.worlds import tale

AT = datetime(2026, 3, 2, 9, 30, 15, 250_000)
TRUTH = deeds.truth("agent", "agent-run", tale.ANN)
OTHERS = {module.ALTERNATIVE.format: module.ALTERNATIVE for module in (envoy, haproxy, nginx)}


def _request(**changed: Any) -> pl.DataFrame:
    given: dict[str, Any] = {"path": None, "elapsed_ms": 1_234, "bytes_out": 900, "bytes_in": 6_000, **changed}
    host, agent = given.pop("host", "api.example"), given.pop("agent", 'cli "x" #1 \\ {|}')
    return deeds.requests(
        [AT], host, truth=TRUTH, client="10.40.0.7", user="svc agent", agent=agent, stream=draws(1, "test"), **given
    )


def _read(emitter: Emitter, row: pl.DataFrame) -> dict[str, Any]:
    known: dict[str, object] = {"delivered_at": None, "shard": "", "late": False, "is_copy": False, "issued": True}
    logged = row.with_columns(
        emitter.clock.alias("logged_at"), *(pl.lit(value, LOGGED[name]).alias(name) for name, value in known.items())
    )
    with duckdb.connect() as connection:
        connection.register("happened", logged.to_arrow())
        texts = [text for (text,) in connection.execute(f"SELECT {emitter.text} FROM happened").fetchall()]
    options = {key: value for key, value in emitter.entry(tale.ESTATE).items() if key not in {"from", "realm"}}
    (found,) = read(emitter.format, texts, **options)
    return found


CASES = {
    "tunnel": (_request(), "success", None),
    "plain": (_request(path="/v1/a?q=1"), "success", "/v1/a"),
    "port": (_request(path="/v1/a b", port=8080), "success", "/v1/a%20b"),
    "denied": (_request(status=403, decision="denied"), "denied", None),
    "aborted": (_request(path="/v1/a", decision="aborted"), "failure", "/v1/a"),
}


@pytest.mark.parametrize("name", sorted(OTHERS))
@pytest.mark.parametrize("case", sorted(CASES))
def test_what_is_written_is_read_back(name: str, case: str) -> None:
    row, status, path = CASES[case]
    happened = row.to_dicts()[0]
    found = _read(OTHERS[name], row)
    assert (found["dst_host"], found["http_method"]) == (happened["host"], happened["method"])
    assert (found["status"], found["src_ip"], found["user_agent"]) == (status, "10.40.0.7", happened["agent"])
    assert found["url_path"] == (path.replace("%20", " ") if path and name == "envoy" else path)
    assert found["duration_ms"] == 1_234
    assert (found["bytes_in"], found["bytes_out"]) == (6_000, None if name == "haproxy" else 900)
    if name != "envoy" or case not in {"plain", "aborted"}:  # a host alone says no port there
        assert found["dst_port"] == happened["port"]
    ends = timedelta(milliseconds=1_234) if name == "nginx" else timedelta()
    assert found["time"] == AT + ends
    assert found["principal"] == ("proxy:user/egress/svc agent" if name == "nginx" else None)


def test_a_world_is_written_by_one_proxy_unless_others_are_asked_for() -> None:
    assert not {emitter.format for emitter in emitters()} & set(OTHERS)
