"""What is logged of what happened: the rows of each format, with everything done to them that makes logs hard."""

from __future__ import annotations

import polars as pl

from pipelines.worlds.draws import Draws, draws
from pipelines.worlds.emit.emitter import LOGGED, Emitter
from pipelines.worlds.estate import Estate
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.hard.clocks import sharded, skewed
from pipelines.worlds.hard.copies import repeated, second_trail, twins
from pipelines.worlds.hard.fields import hardened
from pipelines.worlds.hard.late import delivered
from pipelines.worlds.hard.rates import Rates
from pipelines.worlds.hard.silence import is_silenced, silence
from pipelines.worlds.hard.unissued import Unissued, chosen
from pipelines.worlds.size import Size

_AGAIN_WITHIN = {"objects": 6 * 60.0, "lines": 3.0}
"""Minutes within which a repeated record comes again: an object anew, or a page of an API that overlaps."""


class Logging:
    """Turns happenings into rows as they are logged. Days must be given in order: lost credentials are remembered."""

    def __init__(self, estate: Estate, size: Size, formats: tuple[str, ...]) -> None:
        self.estate = estate
        self.size = size
        self.rates = Rates.of(size.seed)
        self.silent = silence(size, formats)
        self.unissued = Unissued()

    def rows(self, emitter: Emitter, happened: Happenings, day: int) -> pl.DataFrame:
        """What `emitter` logs of one day: the columns of its frame and LOGGED, in no order."""
        frame: pl.DataFrame = getattr(happened, emitter.reads)
        stream = draws(self.size.seed, "logged", emitter.format, day)
        rows = frame.sort("at", "event").with_columns(
            emitter.clock.cast(LOGGED["logged_at"]).alias("logged_at"),
            pl.lit(emitter.shards[0]).alias("shard"),
            pl.lit(False).alias("is_copy"),
            pl.lit(True).alias("issued"),
        )
        if emitter.reads == "calls":
            rows = self._calls(rows, emitter, stream)
        else:
            rows = rows.filter(~is_silenced(self.silent, emitter.format))
        if emitter.reads == "requests" and len(emitter.shards) > 1:
            rows = skewed(sharded(rows, emitter.shards), emitter.shards[-1], self.rates.skew)
        rows = delivered(rows, self.rates, stream, by_object=emitter.layout == "objects")
        if emitter.reads == "requests":
            # A proxy writes its own file: nothing is late in it.
            rows = rows.with_columns(pl.col("logged_at").alias("delivered_at"), pl.lit(False).alias("late"))
        parts = [rows]
        if emitter.repeats:
            parts.append(repeated(rows, self.rates, stream, within_minutes=_AGAIN_WITHIN[emitter.layout]))
        if emitter.reads == "calls" and len(emitter.shards) > 1:
            parts.append(second_trail(rows, self.estate.accounts[0], emitter.shards[-1], self.rates, stream))
        return pl.concat(part.select(rows.columns) for part in parts)

    def _calls(self, calls: pl.DataFrame, emitter: Emitter, stream: Draws) -> pl.DataFrame:
        """Twins told apart, issuances lost, fields hidden and cut."""
        silenced = calls.with_columns(is_silenced(self.silent, emitter.format).alias("lost"))["lost"]
        lost = chosen(calls, self.rates.unissued, stream) | silenced
        self.unissued.lose(calls.filter(lost))
        kept = self.unissued.mark(twins(calls)).filter(~lost)
        return hardened(kept, self.rates, stream)
