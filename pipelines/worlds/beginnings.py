"""How the runs of a day begin: tokens, roles taken on, keys; the first and the second session of every run."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipelines.worlds import issuing
from pipelines.worlds.draws import Draws, base62, sizes, uuids
from pipelines.worlds.estate import Estate
from pipelines.worlds.happenings import CALLS, ISSUINGS, REQUESTS, SESSION, frame

FAILED_LOGINS, CHALLENGED = 0.12, 0.03
"""Of sign-ins, those after a wrong password; of runs, those whose first request the proxy asks for a name."""


@dataclass(frozen=True)
class Begun:
    """What beginnings left, and two SESSION frames with a row a run (nulls where a run has none).

    `calls` has `place`, the row of the run whose tunnels it goes through.
    """

    calls: pl.DataFrame
    requests: pl.DataFrame
    issuings: pl.DataFrame
    first: pl.DataFrame
    second: pl.DataFrame


def begin(estate: Estate, runs: pl.DataFrame, stream: Draws) -> Begun:
    """Everything up to the first step of each run."""
    runs = runs.with_columns(pl.int_range(pl.len()).alias("place"))
    sessions: list[pl.DataFrame] = []
    calls: list[pl.DataFrame] = []

    def took(some: pl.DataFrame, made: pl.DataFrame | None, session: pl.DataFrame, through: pl.Series) -> None:
        sessions.append(session.with_columns(some["place"]))
        if made is not None:
            # Of a role abroad there are more records than runs: twins come behind the others.
            place = pl.concat([through, through.filter(some["role_account"] != some["from_account"])]) if (
                made.height != some.height) else through  # fmt: skip
            calls.append(made.with_columns(place.alias("place")))

    web = _soon(runs.filter(pl.col("begin").is_in(["okta", "ci"])), stream)
    took(web, *issuing.web_identities(web, stream), web["place"])
    saml = _soon(runs.filter(pl.col("begin") == "saml"), stream)
    took(saml, *issuing.saml_roles(saml, stream), saml["place"])
    keyed = runs.filter(pl.col("begin").is_in(["key", "user"]))
    bare = keyed.filter(pl.col("role_arn").is_null())
    took(bare, None, issuing.key_sessions(bare), bare["place"])
    users = _soon(keyed.filter(pl.col("role_arn").is_not_null()), stream)
    users = users.with_columns(pl.col("key_account").alias("from_account"))
    took(users, *issuing.assumptions(users, issuing.key_sessions(users), stream), users["place"])

    started = runs.filter(pl.col("parent") >= 0)
    so_far = _by_place(sessions, runs.height)
    above = so_far[started["parent"]]
    by_parent = _by(started, runs, started["parent"]).with_columns(above["caller_account"].alias("from_account"))
    made, session = issuing.assumptions(by_parent, above, stream)
    took(by_parent, made, session, started["parent"])
    first = _by_place(sessions, runs.height)

    further = _soon(runs.filter(pl.col("second_arn").is_not_null()), stream, 1_600, 2_600)
    under = first[further["place"]]
    further = further.with_columns(
        pl.col("second_arn").alias("role_arn"), pl.col("second_name").alias("role_name"),
        pl.col("second_id").alias("role_id"), pl.col("second_account").alias("role_account"),
        under["caller_account"].alias("from_account"),
    )  # fmt: skip
    made, second = issuing.assumptions(further, under, stream)
    before = len(sessions)
    took(further, made, second, further["place"])
    return Begun(
        calls=pl.concat([pl.DataFrame(schema={**CALLS, "place": pl.Int64}), *calls]),
        requests=pl.concat([_okta_tunnels(estate, runs, stream), _challenges(runs, stream)]),
        issuings=pl.concat([_tokens(runs, stream), _logins(runs, stream)]),
        first=first,
        second=_by_place(sessions[before:], runs.height),
    )


def _soon(runs: pl.DataFrame, stream: Draws, least_ms: int = 300, most_ms: int = 1_500) -> pl.DataFrame:
    wait = pl.Series(stream.integers(least_ms * 1_000, most_ms * 1_000, runs.height)).cast(pl.Duration("us"))
    return runs.with_columns(pl.col("at") + wait, pl.col("role_account").alias("from_account"))


def _by(started: pl.DataFrame, runs: pl.DataFrame, parent: pl.Series) -> pl.DataFrame:
    """The rows with the truth and the place of who starts them."""
    return started.with_columns(runs[parent].select("worker", "run", "delegator", "address", "agent").get_columns())


def _by_place(sessions: list[pl.DataFrame], count: int) -> pl.DataFrame:
    """SESSION with a row a run."""
    found = pl.concat([pl.DataFrame(schema={**SESSION, "place": pl.Int64}), *sessions])
    every = pl.DataFrame({"place": pl.int_range(count, eager=True)})
    return every.join(found, on="place", how="left", maintain_order="left").drop("place")


def _tokens(runs: pl.DataFrame, stream: Draws) -> pl.DataFrame:
    clients = runs.filter(pl.col("client_id").is_not_null())
    return issuing.tokens(clients.with_columns(pl.col("at") + pl.duration(milliseconds=220)), stream)


def _okta_tunnels(estate: Estate, runs: pl.DataFrame, stream: Draws) -> pl.DataFrame:
    """A tunnel to the token issuer for each token."""
    clients = runs.filter(pl.col("client_id").is_not_null())
    return _lines(clients, stream).with_columns(
        pl.lit(estate.okta_host).alias("host"), pl.lit("CONNECT").alias("method"), pl.lit("https").alias("scheme"),
        pl.lit(443, pl.Int64).alias("port"), pl.lit(200, pl.Int64).alias("status"),
        pl.lit("forwarded").alias("decision"), pl.Series("bytes_out", stream.integers(2_400, 3_300, clients.height)),
        pl.Series("bytes_in", stream.integers(8_000, 9_600, clients.height)),
        pl.Series("elapsed_ms", sizes(stream, 700, 6_000, clients.height)),
    )  # fmt: skip


def _challenges(runs: pl.DataFrame, stream: Draws) -> pl.DataFrame:
    """Requests without a name, which the proxy asks for one."""
    asked = runs.filter(pl.Series(stream.random(runs.height) < CHALLENGED))
    return _lines(asked.with_columns(pl.col("at") - pl.duration(milliseconds=400)), stream).with_columns(
        pl.lit(None, pl.String).alias("user"), pl.concat_str(pl.lit("sts."), asked["region"], pl.lit(".amazonaws.com"))
        .alias("host"), pl.lit("CONNECT").alias("method"), pl.lit("https").alias("scheme"),
        pl.lit(443, pl.Int64).alias("port"), pl.lit(407, pl.Int64).alias("status"), pl.lit("denied").alias("decision"),
        pl.lit(163, pl.Int64).alias("bytes_out"), pl.lit(4_112, pl.Int64).alias("bytes_in"),
        pl.lit(0, pl.Int64).alias("elapsed_ms"),
    )  # fmt: skip


def _lines(runs: pl.DataFrame, stream: Draws) -> pl.DataFrame:
    """REQUESTS with the truth and the place of each run, and nothing else yet."""
    given = ("at", "worker", "delegator", "run", "client", "user", "agent")
    return frame(REQUESTS, runs.select(given).with_columns(uuids(stream, runs.height).alias("event")))


def _logins(runs: pl.DataFrame, stream: Draws) -> pl.DataFrame:
    """Sign-ins of people, some after a wrong password."""
    people = runs.filter(pl.col("begin").is_in(["login", "saml"]))
    wrong = people.filter(pl.Series(stream.random(people.height) < FAILED_LOGINS))
    given = ["at", "worker", "run", "delegator", "user_id", "user_mail", "user_name", "address", "agent"]
    good = people.select(given).with_columns(
        pl.lit("login").alias("kind"), base62(stream, 22, people.height, "102").alias("session"),
        pl.lit(None, pl.String).alias("reason"),
    )  # fmt: skip
    bad = wrong.select(given).with_columns(
        pl.col("at") - pl.duration(seconds=9), pl.lit("login_failed").alias("kind"),
        pl.lit(None, pl.String).alias("session"), pl.lit("INVALID_CREDENTIALS").alias("reason"),
    )  # fmt: skip
    both = pl.concat([good, bad])
    return frame(
        ISSUINGS,
        both.with_columns(
            uuids(stream, both.height).alias("event"), base62(stream, 24, both.height).alias("transaction")
        ),
    )
