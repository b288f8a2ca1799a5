"""The primitives that attacks, look-alikes and people are written with: calls, requests, tokens, runs begun.

Every function takes the truth of its rows (`truth(...)`), a place (`address`, `agent`, ...) and a stream, and gives
frames of `happenings`. Times are naive UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.worlds import apis, issuing
from pipelines.worlds.draws import Draws, hexes, sizes, uuids
from pipelines.worlds.estate import Estate, Person, Role, Worker
from pipelines.worlds.happenings import CALLS, ISSUINGS, REQUESTS, SESSION, TRUTH, Happenings, frame

Times = Sequence[datetime] | pl.Series | npt.NDArray[np.datetime64]
Many = int | Sequence[int] | npt.NDArray[np.int64]
Words = str | None | Sequence[str | None]
Thing = TypeVar("Thing")


def truth(worker: str | None, run: str | None = None, delegator: Person | None = None) -> dict[str, object]:
    """Whose deed it is; nobody's (a person's, a service's) where `worker` is None."""
    return {"worker": worker, "run": run, "delegator": f"mail:addr/{delegator.mail}" if delegator else None}


def moments(at: datetime, count: int, within: timedelta, stream: Draws) -> pl.Series:
    """`count` times in order, spread at random over `within` from `at`."""
    offsets = np.sort(stream.uniform(0, max(within.total_seconds(), 0.001), count)) * 1e6
    return pl.Series(np.datetime64(at, "us") + offsets.astype("timedelta64[us]"), dtype=pl.Datetime("us"))


def calls(
    session: Mapping[str, object] | pl.DataFrame,
    at: Times,
    service: Words,
    operation: Words,
    *,
    truth: Mapping[str, object],
    address: Words,
    agent: Words,
    region: str,
    stream: Draws,
    account: Words = None,
    resource: Words = None,
    bytes_out: Many = 0,
    bytes_in: Many = 0,
    error: tuple[str, str] | None = None,
    request: Words = None,
    response: Words = None,
) -> pl.DataFrame:
    """AWS calls under one session (or one a row): CALLS, a row a time in `at`.

    What is one value holds for all rows. `request` is built from operation and resource where None; `{n}` in a
    resource becomes a number of its own in each row. `account` is the trail's: the caller's own where None. Of a
    management call that is refused the record keeps no request.
    """
    times = _times(at)
    count = len(times)
    base = pl.DataFrame({"at": times}).with_columns(
        _column("service", service), _column("operation", operation),
        _column("resource", resource), _column("address", address), _column("agent", agent),
        pl.Series("n", stream.integers(1, 99_999, count)).cast(pl.String).str.zfill(5),
    )  # fmt: skip
    base = pl.concat([base, _sessions(session, count)], how="horizontal")
    known = base.select("service", "operation", "resource").unique(maintain_order=True)
    facts = [
        (apis.is_data(s, o), apis.is_read_only(s, o), apis.region_of(s, region), apis.request_of(s, o, r, region))
        for s, o, r in known.iter_rows()
    ]
    facts_of = known.with_columns(
        pl.Series("is_data", [fact[0] for fact in facts], pl.Boolean),
        pl.Series("read_only", [fact[1] for fact in facts], pl.Boolean),
        pl.Series("region", [fact[2] for fact in facts], pl.String),
        pl.Series("request", [fact[3] for fact in facts], pl.String),
    )
    keys = ["service", "operation", "resource"]
    base = base.join(facts_of, on=keys, how="left", nulls_equal=True, maintain_order="left").with_columns(
        pl.col("resource", "request").str.replace_all("{n}", pl.col("n"), literal=True)
    )
    if request is not None:
        base = base.with_columns(_column("request", request))
    if error is not None:
        base = base.with_columns(pl.when("is_data").then("request").alias("request"))
    failed = error is not None
    base = base.with_columns(
        _column("response", None if failed else response),
        (pl.col("caller_account") if account is None else _column("account", account)).alias("account"),
        uuids(stream, count).alias("event"),
        pl.Series("bytes_out", np.zeros(count, np.int64) + np.asarray(0 if failed else bytes_out, np.int64)),
        pl.Series("bytes_in", np.zeros(count, np.int64) + np.asarray(280 if failed else bytes_in, np.int64)),
        pl.Series("duration_ms", sizes(stream, 8, 400, count)),
        pl.lit(error[0] if error else None, pl.String).alias("error_code"),
        pl.lit(error[1] if error else None, pl.String).alias("error_message"),
        *(pl.lit(value, TRUTH[name]).alias(name) for name, value in truth.items()),
    )
    return frame(CALLS, base.drop("n"))


def requests(
    at: Times,
    host: Words,
    *,
    truth: Mapping[str, object],
    client: Words,
    user: Words,
    agent: Words,
    stream: Draws,
    path: Words = None,
    method: Words = None,
    port: Many | None = None,
    status: Many = 200,
    decision: str = "forwarded",
    bytes_out: Many = 900,
    bytes_in: Many = 6_000,
    elapsed_ms: Many | None = None,
    mime: str | None = None,
) -> pl.DataFrame:
    """Requests through the proxy: REQUESTS, a row a time in `at`.

    Without a `path` they are tunnels (CONNECT to port 443); with one plain http (GET, port 80). `{n}` in a path or
    a host becomes a number of its own in each row.
    """
    times = _times(at)
    count = len(times)
    tunnel = path is None
    number = pl.Series("n", stream.integers(1, 99_999, count)).cast(pl.String).str.zfill(5)
    base = pl.DataFrame({"at": times, "n": number}).with_columns(
        _column("host", host), _column("path", path), _column("client", client),
        _column("user", user), _column("agent", agent),
        _column("method", method or ("CONNECT" if tunnel else "GET")),
        pl.lit("https" if tunnel else "http").alias("scheme"),
        pl.Series("port", np.zeros(count, np.int64) + np.asarray(port or (443 if tunnel else 80), np.int64)),
        pl.Series("status", np.zeros(count, np.int64) + np.asarray(status, np.int64)),
        pl.lit(decision).alias("decision"),
        pl.Series("bytes_out", np.zeros(count, np.int64) + np.asarray(bytes_out, np.int64)),
        pl.Series("bytes_in", np.zeros(count, np.int64) + np.asarray(bytes_in, np.int64)),
        pl.Series("elapsed_ms", sizes(stream, 20, 4_000, count) if elapsed_ms is None
                  else np.zeros(count, np.int64) + np.asarray(elapsed_ms, np.int64)),
        pl.lit(mime if mime or tunnel else "text/html", pl.String).alias("mime"),
        uuids(stream, count).alias("event"),
        *(pl.lit(value, TRUTH[name]).alias(name) for name, value in truth.items()),
    )  # fmt: skip
    base = base.with_columns(pl.col("host", "path").str.replace_all("{n}", pl.col("n"), literal=True))
    return frame(REQUESTS, base.drop("n"))


def issuings(at: Times, kind: str, *, truth: Mapping[str, object], stream: Draws, **columns: object) -> pl.DataFrame:
    """What the token issuer did: ISSUINGS, a row a time in `at`; `columns` are ISSUINGS' own (address, agent, ...)."""
    times = _times(at)
    count = len(times)
    given = {"transaction": hexes(stream, 24, count), **columns}
    base = pl.DataFrame({"at": times}).with_columns(
        uuids(stream, count).alias("event"),
        pl.lit(kind).alias("kind"),
        *(_any(name, value, ISSUINGS[name]) for name, value in given.items()),
        *(pl.lit(value, TRUTH[name]).alias(name) for name, value in truth.items()),
    )
    return frame(ISSUINGS, base)


def tunnels_of(made: pl.DataFrame, *, user: str, client: str, stream: Draws) -> pl.DataFrame:
    """The tunnels that CALLS went through: REQUESTS; calls of one run to one endpoint within an hour share one.

    Calls that a service makes in its caller's name pass no proxy, nor does the second record of twins.
    """
    run = pl.col("run")
    seen = made.with_columns(pl.lit(user).alias("user"), pl.lit(client).alias("client"), run.alias("tunnel_of"))
    return tunnels(seen, stream)


def tunnels(made: pl.DataFrame, stream: Draws) -> pl.DataFrame:
    """`tunnels_of` for CALLS with the columns `user`, `client`, and `tunnel_of` (what shares tunnels) a row."""
    seen = made.filter(pl.col("invoked_by").is_null() & (pl.col("identity_type") != "AWSAccount"))
    keys = ["tunnel_of", "host", pl.col("at").dt.truncate("1h").alias("hour"), "incident", "lookalike"]
    told = ("worker", "delegator", "run", "client", "user", "agent")
    each = (
        seen.with_columns(apis.endpoints().alias("host"))
        .group_by(keys, maintain_order=True)
        .agg(
            pl.col("at").min(), pl.col("at").max().alias("last"), *(pl.col(name).first() for name in told),
            (pl.col("bytes_out") + 1_050).sum(), (pl.col("bytes_in") + 700).sum(),
        )
    )  # fmt: skip
    count = each.height
    before = pl.Series(stream.integers(60_000, 180_000, count)).cast(pl.Duration("us"))
    linger = pl.Series(stream.integers(300, 5_000, count))
    each = each.with_columns(
        (pl.col("at") - before).alias("at"),
        ((pl.col("last") - pl.col("at")).dt.total_milliseconds() + linger).alias("elapsed_ms"),
        (pl.col("bytes_out") + 950).alias("bytes_out"),
        (pl.col("bytes_in") + 5_200).alias("bytes_in"),
        uuids(stream, count).alias("event"),
        pl.lit("CONNECT").alias("method"), pl.lit("https").alias("scheme"), pl.lit(443).alias("port"),
        pl.lit(200).alias("status"), pl.lit("forwarded").alias("decision"),
    )  # fmt: skip
    return frame(REQUESTS, each.drop("tunnel_of", "hour", "last"))


def open_run(
    estate: Estate, worker: Worker, at: datetime, day: int, stream: Draws, delegator: Person | None = None
) -> tuple[dict[str, object], str, Happenings]:
    """A run begun as the worker always begins: its session ({} where it has no AWS), the run's name, what it left.

    With `delegator` None a worker that has delegators acts for one of them, whom `truth_of` cannot know: pass one.
    """
    run = f"{worker.name}-{at:%Y%m%dT%H%M%S}-{hexes(stream, 4, 1)[0]}"
    told = truth(worker.name, run, delegator)
    address, agent = estate.egress[0], worker.agent_on(day)
    client = pick(worker.addresses_on(day), stream)
    one = {**told, "incident": None, "lookalike": None, "at": at, "address": address, "agent": agent}
    parts: list[Happenings] = []
    if worker.okta_client:
        person = {"user_id": delegator.okta_id, "user_mail": delegator.mail, "user_name": delegator.name} if (
            delegator) else {"user_id": None, "user_mail": None, "user_name": None}  # fmt: skip
        client_of = {"client_id": worker.okta_client, "client_name": worker.okta_name, "scopes": "work.read work.write"}
        runs = _one_row({**one, **person, **client_of})
        tunnel = requests(
            [at], estate.okta_host, truth=told, client=client, user=worker.proxy_user, agent=agent, stream=stream,
            bytes_out=2_850, bytes_in=8_600,
        )  # fmt: skip
        parts.append(Happenings(requests=tunnel, issuings=issuing.tokens(runs, stream)))
    session: dict[str, object] = {}
    role = worker.roles[0] if worker.roles else None
    then = at + timedelta(milliseconds=int(stream.integers(300, 1_500)))
    in_use = [key for key in worker.keys if key.first_day <= day and (key.end_day is None or day < key.end_day)]
    if in_use:
        session = key_session(worker, day)
    if role and in_use:
        session, made = assume(
            session, role, then, truth=told, address=address, agent=agent, region=worker.region,
            session_name=session_name(worker, then, run), client=client, user=worker.proxy_user, stream=stream,
        )  # fmt: skip
        parts.append(made)
    elif role and worker.issuer:
        runs = _one_row({
            **one, "at": then, "role_arn": role.arn, "role_name": role.name, "role_id": role.unique_id,
            "role_account": role.account, "session_name": session_name(worker, then, run), "issuer": worker.issuer,
            "subject": worker.subject, "region": worker.region,
            "source_identity": delegator.mail if delegator else None,
        })  # fmt: skip
        made_calls, sessions = issuing.web_identities(runs, stream)
        session = sessions.row(0, named=True)
        tunnel = tunnels_of(made_calls, user=worker.proxy_user, client=client, stream=stream)
        parts.append(Happenings(made_calls, tunnel))
    return session, run, Happenings.all_of(parts)


def key_session(worker: Worker, day: int) -> dict[str, object]:
    """The session of the worker's long-lived key that is in use on a day."""
    key = [key for key in worker.keys if key.first_day <= day and (key.end_day is None or day < key.end_day)][-1]
    return user_session(key.key, key.user, key.user_arn, key.user_id, key.account)


def user_session(key: str, user: str, user_arn: str, user_id: str, account: str) -> dict[str, object]:
    """SESSION of an IAM user under one of its keys."""
    row = _one_row({"key": key, "key_user": user, "key_user_arn": user_arn, "key_user_id": user_id,
                    "key_account": account})  # fmt: skip
    return issuing.key_sessions(row).row(0, named=True)


def assume(
    session: Mapping[str, object],
    role: Role,
    at: datetime,
    *,
    truth: Mapping[str, object],
    address: str,
    agent: str,
    region: str,
    session_name: str,
    client: str,
    user: str,
    stream: Draws,
) -> tuple[dict[str, object], Happenings]:
    """A role taken on from within a session, through the proxy: the new session; twins where the role is abroad."""
    runs = _one_row({
        "delegator": None, **truth, "incident": None, "lookalike": None, "at": at, "role_arn": role.arn,
        "role_name": role.name, "role_id": role.unique_id, "role_account": role.account,
        "session_name": session_name, "region": region, "address": address, "agent": agent,
        "source_identity": session.get("source_identity"),
    })  # fmt: skip
    made, sessions = issuing.assumptions(runs, _sessions(session, 1), stream)
    return sessions.row(0, named=True), Happenings(made, tunnels_of(made, user=user, client=client, stream=stream))


def session_name(worker: Worker, at: datetime, run: str) -> str:
    """The worker's usual session name: its pattern over {day}, {run} and {worker}."""
    return worker.session_name.format(day=f"{at:%Y-%m-%d}", run=run[-4:], worker=worker.name)


def pick(among: Sequence[Thing], stream: Draws) -> Thing:
    """One of them."""
    return among[int(stream.integers(0, len(among)))]


def _times(at: Times) -> pl.Series:
    return (at if isinstance(at, pl.Series) else pl.Series("at", at)).cast(pl.Datetime("us")).alias("at")


def _any(name: str, value: object, kind: pl.DataType | type[pl.DataType]) -> pl.Expr | pl.Series:
    if value is None or isinstance(value, (str, int, datetime)):
        return pl.lit(value, kind).alias(name)
    if not isinstance(value, Iterable):
        raise TypeError(f"{name}: neither one value nor a row of them")
    return (value if isinstance(value, pl.Series) else pl.Series(list(value))).cast(kind).alias(name)


def _column(name: str, value: Words) -> pl.Expr | pl.Series:
    if value is None or isinstance(value, str):
        return pl.lit(value, pl.String).alias(name)
    return pl.Series(name, value, pl.String)


def _sessions(session: Mapping[str, object] | pl.DataFrame, count: int) -> pl.DataFrame:
    """SESSION with a row a call."""
    if isinstance(session, pl.DataFrame):
        return frame(SESSION, session)
    row = pl.DataFrame({name: [session.get(name)] for name in SESSION}, schema=SESSION)
    return row if count == 1 else pl.concat([row] * count) if count else row.clear()


def _one_row(values: Mapping[str, object]) -> pl.DataFrame:
    return pl.DataFrame(
        {name: pl.Series([value], dtype=pl.Datetime("us") if name == "at" else pl.String)
         for name, value in values.items()}
    )  # fmt: skip
