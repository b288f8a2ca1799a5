"""The benign life of one day: a row a step of every run, by the column; no loop runs over events."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.worlds.actors import Cast
from pipelines.worlds.beginnings import Begun, begin
from pipelines.worlds.cast import cast_of
from pipelines.worlds.deeds import tunnels
from pipelines.worlds.draws import Draws, draws, hexes, sizes, uuids
from pipelines.worlds.estate import Estate
from pipelines.worlds.happenings import CALLS, REQUESTS, Happenings, frame
from pipelines.worlds.rotation import rotations
from pipelines.worlds.runs import load_of, runs_of, scheduled
from pipelines.worlds.size import Size

THROTTLED, REFUSED, CACHED = 0.012, 0.001, 0.05
"""Of calls, those that are throttled and then repeated, and those of data that are refused for good; of plain http
reads, those that the proxy answers itself."""
FIRST_STEP_US, LONGEST_US = 3_500_000, 45 * 60 * 1_000_000
"""Steps begin when all sessions are there, and a run ends within the hour that its credentials live."""
_REFUSAL = ("AccessDenied", "Access Denied")
_KEPT = ("worker", "delegator", "run", "address", "agent", "client", "user")
_SECRETS_KEY = "arn:aws:kms:{}:{}:key/0f5c2f0e-8a44-4f6b-9d2e-5f1a6c3e7b21"


def day(estate: Estate, size: Size, day: int) -> Happenings:
    """What workers and people do on a day (from 0): a function of its arguments alone."""
    when = size.first_day + timedelta(days=day)
    stream = draws(size.seed, "life", day)
    cast = cast_of(estate)
    planned = scheduled(cast, when, day, stream)
    runs = runs_of(estate, cast, planned, day, when, stream)
    begun = begin(estate, runs, stream)
    steps = _expanded(cast, runs, day, load_of(cast, when), stream)
    texts = cast.steps.with_columns(
        pl.col("resource", "request", "path").str.replace_all("{day}", f"{when:%Y-%m-%d}", literal=True)
    )
    is_site = cast.steps["is_site"].to_numpy()[steps.step]
    calls = _calls(texts, runs, begun, steps.where(~is_site), stream)
    sites = _requests(texts, runs, steps.where(is_site), stream)
    calls = pl.concat([begun.calls, calls, decrypted(calls, stream)])
    through = runs.select("user", "client")[calls["place"]]
    carried = tunnels(calls.with_columns(*through.get_columns(), pl.col("place").alias("tunnel_of")), stream)
    made = Happenings(calls.drop("place"), pl.concat([begun.requests, sites, carried]), begun.issuings)
    return Happenings.all_of([_without_people(made, runs), rotations(estate, size, day)])


@dataclass(frozen=True)
class _Steps:
    """Steps as arrays: the run, the row in `Cast.steps`, the page of its kind, when, and whether it failed."""

    run: npt.NDArray[np.int64]
    step: npt.NDArray[np.int64]
    page: npt.NDArray[np.int64]
    number: npt.NDArray[np.int64]
    at: npt.NDArray[np.int64]
    error: npt.NDArray[np.int64]

    def where(self, chosen: npt.NDArray[np.bool_]) -> _Steps:
        return _Steps(
            self.run[chosen], self.step[chosen], self.page[chosen], self.number[chosen], self.at[chosen],
            self.error[chosen],
        )  # fmt: skip


_FINE, _THROTTLED, _REFUSED = 0, 1, 2


def _expanded(cast: Cast, runs: pl.DataFrame, day: int, load: npt.NDArray[np.float64], stream: Draws) -> _Steps:
    """Every step of every run, in order."""
    actor = runs["cast_row"].to_numpy()
    count = cast.step_count[actor]
    run = np.repeat(np.arange(len(actor)), count)
    step = _ranges(cast.first_step[actor], count)
    table = cast.steps
    wanted = stream.uniform(table["least"].to_numpy()[step], table["most"].to_numpy()[step])
    wanted = wanted * (cast.factors.counts * load)[actor[run]] * (table["from_day"].to_numpy()[step] <= day)
    times = np.floor(wanted + stream.random(len(run))).astype(np.int64)
    number = np.repeat(stream.integers(1, 99_999, len(run)), times)
    run, step, page = np.repeat(run, times), np.repeat(step, times), _ranges(np.zeros(len(run), np.int64), times)
    paged = table["paged"].to_numpy()[step]
    number = np.where(paged, number, stream.integers(1, 99_999, len(run)))
    # A call that is throttled is made again.
    lot = stream.random(len(run))
    again = (lot < THROTTLED) & table["throttle"].is_not_null().to_numpy()[step]
    refused = (lot > 1 - REFUSED) & table["is_data"].fill_null(value=False).to_numpy()[step]
    twice = np.repeat(np.arange(len(run)), 1 + again)
    error = np.where(refused, _REFUSED, _FINE)[twice]
    error[np.flatnonzero(again) + np.arange(int(again.sum()))] = _THROTTLED
    run, step, page, number = run[twice], step[twice], page[twice], number[twice]
    return _Steps(run, step, page, number, _times(cast, runs, run, stream), error)


def _ranges(first: npt.NDArray[np.int64], count: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """`first`, `first` + 1, ... `count` of each, one behind the other."""
    total = int(count.sum())
    places: npt.NDArray[np.int64] = np.arange(total) + np.repeat(first - (np.cumsum(count) - count), count)
    return places


def _times(cast: Cast, runs: pl.DataFrame, run: npt.NDArray[np.int64], stream: Draws) -> npt.NDArray[np.int64]:
    """Microseconds since 1970 of each step: gaps of the actor's own pace, smaller where a run would be too long."""
    actor = runs["cast_row"].to_numpy()
    pace = np.log(np.array([one.pace for one in cast.actors]))[actor]
    gap = np.exp(stream.uniform(pace[run, 0], pace[run, 1])) * 1e6
    whole = np.bincount(run, gap, minlength=len(actor))
    gap *= np.minimum(1.0, LONGEST_US / np.maximum(whole, 1.0))[run]
    passed = np.cumsum(gap)
    number = np.bincount(run, minlength=len(actor))
    before = np.concatenate([[0.0], passed])[np.cumsum(number) - number]
    start = runs["at"].dt.timestamp("us").to_numpy()
    at: npt.NDArray[np.int64] = start[run] + FIRST_STEP_US + (passed - before[run]).astype(np.int64)
    return at


_TEMPLATES = (
    "service", "operation", "is_data", "read_only", "region", "resource", "request", "second", "is_secret", "throttle",
    "throttle_text",
)  # fmt: skip


def _calls(texts: pl.DataFrame, runs: pl.DataFrame, begun: Begun, steps: _Steps, stream: Draws) -> pl.DataFrame:
    """CALLS, and `place`, the row of the run."""
    count = len(steps.run)
    some = texts.select(*_TEMPLATES, *_split("resource"), *_split("request"))[steps.step]
    bytes_out, bytes_in = _sizes(texts, steps, stream)
    second = some["second"].to_numpy()
    sessions = pl.concat([begun.first, begun.second])[steps.run + runs.height * second]
    page = pl.Series("page", steps.page)
    some = some.with_columns(
        _number(steps), page, pl.Series("error", steps.error), pl.Series("at", steps.at).cast(pl.Datetime("us"))
    )
    token = (
        pl.when(pl.col("page") > 0)
        .then(pl.concat_str(pl.lit(',"continuationToken":"'), hexes(stream, 16, count), pl.lit('"}')))
        .otherwise(pl.lit("}"))
    )
    paged = texts["paged"][steps.step]
    request = _joined("request")
    throttled, refused = pl.col("error") == _THROTTLED, pl.col("error") == _REFUSED
    wide = pl.concat([some, sessions, runs.select(_KEPT)[steps.run]], how="horizontal").with_columns(
        uuids(stream, count).alias("event"),
        _joined("resource").alias("resource"),
        pl.when(throttled & ~pl.col("is_data")).then(None)
        .when(paged).then(pl.concat_str(request.str.head(-1), token)).otherwise(request).alias("request"),
        pl.when(throttled).then("throttle").when(refused).then(pl.lit(_REFUSAL[0])).alias("error_code"),
        pl.when(throttled).then("throttle_text").when(refused).then(pl.lit(_REFUSAL[1])).alias("error_message"),
        pl.Series("bytes_out", np.where(steps.error == _FINE, bytes_out, 0)),
        pl.Series("bytes_in", np.where(steps.error == _FINE, bytes_in, 280)),
        pl.Series("duration_ms", sizes(stream, 8, 400, count)),
        pl.col("caller_account").alias("account"),
    )  # fmt: skip
    return frame(CALLS, wide.select(name for name in wide.columns if name in CALLS)).with_columns(
        pl.Series("place", steps.run)
    )


def _requests(texts: pl.DataFrame, runs: pl.DataFrame, steps: _Steps, stream: Draws) -> pl.DataFrame:
    """REQUESTS to sites: tunnels and plain http."""
    count = len(steps.run)
    some = texts.select("host", "path", "method", *_split("path"))[steps.step]
    bytes_out, bytes_in = _sizes(texts, steps, stream)
    tunnel = pl.col("path").is_null()
    cached = ~tunnel & (pl.col("method") == "GET") & pl.Series(stream.random(count) < CACHED)
    wide = pl.concat([some.with_columns(_number(steps)), runs.select(_KEPT)[steps.run]], how="horizontal")
    return frame(
        REQUESTS,
        wide.select(
            uuids(stream, count).alias("event"), pl.Series("at", steps.at).cast(pl.Datetime("us")), "worker",
            "delegator", "run", "client", "user", "host", "agent", "method",
            _joined("path").alias("path"),
            pl.when(tunnel).then(pl.lit("https")).otherwise(pl.lit("http")).alias("scheme"),
            pl.when(tunnel).then(443).otherwise(80).alias("port"), pl.lit(200).alias("status"),
            pl.when(cached).then(pl.lit("cached")).otherwise(pl.lit("forwarded")).alias("decision"),
            pl.Series("bytes_out", bytes_out), pl.Series("bytes_in", bytes_in),
            pl.when(cached).then(1).otherwise(pl.Series(sizes(stream, 30, 20_000, count))).alias("elapsed_ms"),
            pl.when(~tunnel).then(pl.lit("text/html")).alias("mime"),
        ),
    )  # fmt: skip


def _split(name: str) -> tuple[pl.Expr, pl.Expr, pl.Expr]:
    """A text with `{n}` as its head, whether there is a number, and its tail."""
    parts = pl.col(name).str.splitn("{n}", 2)
    tail = parts.struct.field("field_1")
    return parts.struct.field("field_0").alias(f"{name}_head"), tail.is_not_null().alias(f"{name}_n"), (
        tail.fill_null("").alias(f"{name}_tail")
    )  # fmt: skip


def _joined(name: str) -> pl.Expr:
    number = pl.when(f"{name}_n").then("n").otherwise(pl.lit(""))
    return pl.concat_str(f"{name}_head", number, f"{name}_tail")


def _number(steps: _Steps) -> pl.Series:
    return pl.Series("n", steps.number).cast(pl.String).str.zfill(5)


def _sizes(texts: pl.DataFrame, steps: _Steps, stream: Draws) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Bytes out and in of each step: long tails between the least and the most."""
    found = []
    for way in ("out", "in"):
        least, most = (texts[f"{way}_{end}"].to_numpy()[steps.step] for end in ("least", "most"))
        drawn = np.exp(stream.uniform(np.log(np.maximum(least, 1)), np.log(np.maximum(most, 1))))
        found.append(np.where(most > 0, drawn, 0).astype(np.int64))
    return found[0], found[1]


def decrypted(calls: pl.DataFrame, stream: Draws) -> pl.DataFrame:
    """Secrets Manager decrypts in its caller's name, with a key that no record issues, and past the proxy."""
    read = calls.filter((pl.col("operation") == "GetSecretValue") & pl.col("error_code").is_null())
    host = pl.lit("secretsmanager.amazonaws.com")
    key = pl.format(_SECRETS_KEY, "region", "account")
    return read.with_columns(
        pl.col("at") + pl.duration(milliseconds=20), uuids(stream, read.height).alias("event"),
        pl.lit("kms").alias("service"), pl.lit("Decrypt").alias("operation"), host.alias("address"),
        host.alias("agent"), host.alias("invoked_by"), key.alias("resource"),
        pl.concat_str(pl.lit('{"encryptionAlgorithm":"SYMMETRIC_DEFAULT","encryptionContext":{"SecretARN":"'),
                      "resource", pl.lit('"}}')).alias("request"),
        pl.lit(0, pl.Int64).alias("bytes_in"),
        pl.concat_str(pl.lit("ASIA"), hexes(stream, 16, read.height).str.to_uppercase()).alias("access_key"),
        pl.lit(None, pl.String).alias("response"),
    )  # fmt: skip


def _without_people(made: Happenings, runs: pl.DataFrame) -> Happenings:
    """The same with nobody's name on what people do: they are no workers."""
    people = runs.filter("is_person")["worker"].unique()
    known = [pl.when(~pl.col("worker").is_in(people.implode())).then(name).alias(name)
             for name in ("worker", "delegator", "run")]  # fmt: skip
    return Happenings(
        made.calls.with_columns(known), made.requests.with_columns(known), made.issuings.with_columns(known)
    )
