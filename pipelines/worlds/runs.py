"""The runs of a day: who begins when, on whose behalf, from where, and with what credentials."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt
import polars as pl

from pipelines.worlds.actors import Actor, Cast
from pipelines.worlds.draws import Draws, hexes
from pipelines.worlds.estate import Estate

US_AN_HOUR = 3_600_000_000
BURST_HOURS = 0.5
LAST_HOUR = 22
"""On its last day a worker begins nothing later than this, so that it ends within the day."""
_STARTED_AFTER_S = (20, 180)


@dataclass(frozen=True)
class Scheduled:
    """Runs as arrays: the actor, when they begin (microseconds of the day), the run that starts each, or -1."""

    actor: npt.NDArray[np.int64]
    at: npt.NDArray[np.int64]
    parent: npt.NDArray[np.int64]


def scheduled(cast: Cast, when: date, day: int, stream: Draws) -> Scheduled:
    """The runs that begin on a day, in order of actor and time; those that others start come last."""
    slots = cast.slots
    actor = slots["actor"].to_numpy()
    last = [day if one.worker.last_day is None else one.worker.last_day for one in cast.actors]
    alive = np.array([one.worker.first_day for one in cast.actors]) <= day
    alive &= np.array(last) >= day
    ends = np.array([one.worker.last_day is not None for one in cast.actors])
    days = slots["days"].to_numpy()
    today = np.where(days == 0, True, np.where(days == 1, when.weekday() < 5, when.weekday() >= 5))
    count = slots.height
    happens = stream.random(count) < slots["chance"].to_numpy()
    scale = np.where(slots["grows"].to_numpy(), cast.factors.growing[actor], cast.factors.steady[actor])
    wanted = stream.uniform(slots["least"].to_numpy(), slots["most"].to_numpy()) * scale
    number = np.where(alive[actor] & today & happens, np.floor(wanted + stream.random(count)), 0).astype(np.int64)
    start, end = slots["start"].to_numpy(), slots["end"].to_numpy()
    together = slots["together"].to_numpy()
    centre = stream.uniform(start, end)
    start, end = np.where(together, centre, start), np.where(together, centre + BURST_HOURS, end)
    slot = np.repeat(np.arange(count), number)
    at = (stream.uniform(start[slot], end[slot]) * US_AN_HOUR).astype(np.int64)
    who = actor[slot]
    kept = (np.array(last)[who] > day) | (at < LAST_HOUR * US_AN_HOUR) | ~ends[who]
    who, at = who[kept], at[kept]
    order = np.lexsort((at, who))
    who, at = who[order], at[order]
    starting = np.flatnonzero(cast.child[who] >= 0)
    later = stream.integers(_STARTED_AFTER_S[0] * 1_000_000, _STARTED_AFTER_S[1] * 1_000_000, len(starting))
    return Scheduled(
        np.concatenate([who, cast.child[who[starting]]]),
        np.concatenate([at, at[starting] + later]),
        np.concatenate([np.full(len(who), -1), starting]),
    )


def runs_of(estate: Estate, cast: Cast, planned: Scheduled, day: int, midnight: date, stream: Draws) -> pl.DataFrame:
    """A row a run: truth, place and all the names that its beginning needs (`place`s of runs are their rows).

    Columns: worker, run, delegator, at, begin, is_person, client, user, agent, address, the person (user_id,
    user_mail, user_name), the client (client_id, client_name, scopes), the role (role_*), the second role (second_*),
    the key (key*), issuer, subject, session_name, source_identity, region, parent, cast_row.
    """
    table = pl.DataFrame([_facts(actor, day) for actor in cast.actors], schema=_FACTS)
    count = len(planned.actor)
    runs = table[planned.actor]
    address = np.array(estate.egress)[stream.integers(0, len(estate.egress), count)]
    people = _people(estate, cast, planned, stream)
    tail = hexes(stream, 4, count)
    start = np.datetime64(midnight, "us")
    runs = runs.with_columns(
        (pl.Series(start + planned.at.astype("timedelta64[us]"), dtype=pl.Datetime("us"))).alias("at"),
        pl.Series("parent", planned.parent),
        pl.Series("cast_row", planned.actor),
        pl.Series("address", address, dtype=pl.String),
        pl.col("clients").list.get(pl.Series(stream.integers(0, 840, count)) % pl.col("clients").list.len())
        .alias("client"),
        tail.alias("tail"),
    )  # fmt: skip
    runs = pl.concat([runs.drop("clients"), people], how="horizontal")
    name = pl.col("session_pattern").str.replace("{run}", pl.col("tail"), literal=True)
    mail = pl.col("user_mail")
    return runs.with_columns(
        pl.concat_str("name", pl.lit("-"), pl.col("at").dt.strftime("%Y%m%dT%H%M%S"), pl.lit("-"), "tail").alias("run"),
        name.str.replace("{day}", f"{midnight:%Y-%m-%d}", literal=True).alias("session_name"),
        pl.concat_str(pl.lit("mail:addr/"), mail).alias("delegator"),
        pl.when(~pl.col("is_person")).then(mail).alias("source_identity"),
        pl.col("name").alias("worker"),
        pl.lit(None, pl.String).alias("incident"),
        pl.lit(None, pl.String).alias("lookalike"),
    ).drop("session_pattern", "tail")


_TEXTS = (
    "name", "begin", "user", "agent", "client_id", "client_name", "scopes", "role_arn", "role_name", "role_id",
    "role_account", "second_arn", "second_name", "second_id", "second_account", "key", "key_user", "key_user_arn",
    "key_user_id", "key_account", "issuer", "subject", "region", "session_pattern",
)  # fmt: skip
_FACTS: dict[str, pl.DataType | type[pl.DataType]] = {
    **dict.fromkeys(_TEXTS, pl.String),
    "clients": pl.List(pl.String),
    "is_person": pl.Boolean,
}


def _facts(actor: Actor, day: int) -> dict[str, object]:
    worker = actor.worker
    home = worker.roles[0] if worker.roles else None
    others = [*worker.roles[1:], *worker.borrows] if actor.second else []
    keys = [key for key in worker.keys if key.first_day <= day and (key.end_day is None or day < key.end_day)]
    key = keys[-1] if keys else None
    return {
        "name": worker.name, "begin": actor.begin, "is_person": actor.is_person, "user": worker.proxy_user,
        "agent": worker.agent_on(day), "clients": list(worker.addresses_on(day)),
        "client_id": worker.okta_client, "client_name": worker.okta_name, "scopes": "work.read work.write",
        "issuer": worker.issuer, "subject": worker.subject, "region": worker.region,
        "session_pattern": worker.session_name,
        **({"role_arn": home.arn, "role_name": home.name, "role_id": home.unique_id, "role_account": home.account}
           if home else {}),
        **({"second_arn": others[0].arn, "second_name": others[0].name, "second_id": others[0].unique_id,
            "second_account": others[0].account} if others else {}),
        **({"key": key.key, "key_user": key.user, "key_user_arn": key.user_arn, "key_user_id": key.user_id,
            "key_account": key.account} if key else {}),
    }  # fmt: skip


def _people(estate: Estate, cast: Cast, planned: Scheduled, stream: Draws) -> pl.DataFrame:
    """The person of each run: the delegator of a worker's (a started run has its starter's), or who it is."""
    known = {person.okta_id: index for index, person in enumerate(estate.people)}
    among = [
        [known[person.okta_id] for person in ((one.worker.owner,) if one.is_person else one.worker.delegators)]
        for one in cast.actors
    ]
    length = np.array([len(one) for one in among], np.int64)
    flat = np.array([index for one in among for index in one] or [0], np.int64)
    begin = np.cumsum(length) - length
    has = length[planned.actor]
    drawn = stream.integers(0, 2**31, len(planned.actor)) % np.maximum(has, 1)
    place = flat[np.minimum(begin[planned.actor] + drawn, len(flat) - 1)]
    place = np.where(has > 0, place, len(estate.people))
    place = np.where(planned.parent >= 0, place[planned.parent], place)
    rows = [(person.okta_id, person.mail, person.name) for person in estate.people] + [(None, None, None)]
    names = ["user_id", "user_mail", "user_name"]
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")[place]


def load_of(cast: Cast, when: date) -> npt.NDArray[np.float64]:
    """By actor, how much more a run does on a day: the last two days and the first of a month."""
    tomorrow, after = when + timedelta(days=1), when + timedelta(days=2)
    at_the_end = when.day == 1 or tomorrow.month != when.month or after.month != when.month
    return np.array([actor.month_end if at_the_end else 1.0 for actor in cast.actors])
