"""Bindings over time: where an identity passes from one worker to another, what was done before stays the first one's.

Between two such changes (an *epoch*) nothing that binds changes, so each epoch is bound like the only one, and equal
neighbours become one row again. Nearly always there is one epoch; each change costs one more round of binding.
"""

from __future__ import annotations

from datetime import datetime
from itertools import pairwise

from detectors.engine import Engine
from detectors.manifest_tables import BEGINNING, END
from pipelines import schema
from pipelines.stitch.bindings import bind

_CONTENT = tuple(name for name in schema.BINDINGS.columns if name not in {"valid_from", "valid_to"})


def bind_over_time(engine: Engine) -> None:
    """From `identity_claims` and the evidence make `bound`: the rows of `bindings`, unbounded where nothing changes."""
    epochs = list(pairwise([BEGINNING, *_changes(engine), END]))
    for number, (start, end) in enumerate(epochs):
        engine.let("identities", _identities_sql(start, end))
        bind(engine)
        if len(epochs) > 1:
            engine.let(f"bound_in_{number}", _bounded_sql(start, end))
    if len(epochs) > 1:
        engine.let("bound_in_epochs", " UNION ALL ".join(f"SELECT * FROM bound_in_{n}" for n in range(len(epochs))))
        engine.let("bound", _merged_sql())


def _changes(engine: Engine) -> list[datetime]:
    """The times at which some identity passes to another worker, or is shared by one more or one less."""
    times = engine.query(
        f"""
        SELECT valid_from AS time FROM identity_claims WHERE valid_from > {_time(BEGINNING)}
        UNION
        SELECT valid_to FROM identity_claims WHERE valid_to < {_time(END)}
        """
    )
    return sorted(row["time"] for row in times.to_pylist())


def _time(moment: datetime) -> str:
    return f"TIMESTAMP '{moment.isoformat(sep=' ')}'"


def _identities_sql(start: datetime, end: datetime) -> str:
    return f"""
    SELECT DISTINCT uid, uid_like, is_pattern, worker, shared FROM identity_claims
    WHERE valid_from <= {_time(start)} AND valid_to >= {_time(end)}
    """


def _bounded_sql(start: datetime, end: datetime) -> str:
    return f"SELECT {', '.join(_CONTENT)}, {_time(start)} AS starts, {_time(end)} AS ends FROM bound"


def _merged_sql() -> str:
    """Rows of one name that say the same in neighbouring epochs as one; the first and the last are unbounded."""
    order = "PARTITION BY uid ORDER BY starts"
    same = " AND ".join(f"{name} IS NOT DISTINCT FROM lag({name}) OVER ({order})" for name in _CONTENT if name != "uid")
    content = ", ".join(_CONTENT)
    columns = ", ".join(schema.BINDINGS.columns)
    bounds = f"""
        CASE WHEN starts > {_time(BEGINNING)} THEN starts END AS valid_from,
        CASE WHEN until < {_time(END)} THEN until END AS valid_to"""
    return f"""
    WITH marked AS (
        SELECT *, CASE WHEN {same} THEN 0 ELSE 1 END AS opens FROM bound_in_epochs
    ),
    numbered AS (
        SELECT *, sum(opens) OVER ({order} ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS stretch FROM marked
    ),
    reaching AS (
        SELECT {content}, starts, max(ends) OVER (PARTITION BY uid, stretch) AS until,
               row_number() OVER (PARTITION BY uid, stretch ORDER BY starts) AS nth
        FROM numbered
    )
    SELECT {columns} FROM (SELECT {content}, {bounds} FROM reaching WHERE nth = 1) AS merged
    """
