"""Issuance records that reached no log, and what hangs on them."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import polars as pl

from pipelines.worlds.draws import Draws

ISSUES = (pl.col("service") == "sts") & pl.col("error_code").is_null() & pl.col("response").is_not_null()
"""Calls whose answer is a credential."""

_ISSUED_KEY = pl.col("response").str.extract(r'"accessKeyId":"([A-Z0-9]+)"')


def chosen(calls: pl.DataFrame, rate: float, stream: Draws) -> pl.Series:
    """Whether each call issues a credential and is one of those whose record is lost; twins are lost together."""
    deed = pl.coalesce("shared_id", "event")
    deeds = calls.filter(ISSUES).select(deed).to_series().unique(maintain_order=True)
    lost = deeds.filter(pl.Series(stream.random(len(deeds)) < rate, dtype=pl.Boolean))
    return calls.select(deed.is_in(lost.implode()) & ISSUES).to_series()


@dataclass
class Unissued:
    """The credentials, so far, whose issuance no log shows, and those that were obtained with them."""

    keys: pl.Series = field(default_factory=lambda: pl.Series("key", [], pl.String))

    def lose(self, lost: pl.DataFrame) -> None:
        """These calls reach no log: what they issued cannot be proven."""
        self._add(lost.filter(ISSUES).select(_ISSUED_KEY).to_series())

    def mark(self, calls: pl.DataFrame) -> pl.DataFrame:
        """`issued` of calls: false where the credential that signed them hangs on a lost record."""
        issued = calls.filter(ISSUES).select(by="access_key", key=_ISSUED_KEY)
        while True:
            more = issued.filter(pl.col("by").is_in(self.keys.implode()) & ~pl.col("key").is_in(self.keys.implode()))
            if more.is_empty():
                break
            self._add(more["key"])
        return calls.with_columns((~pl.col("access_key").is_in(self.keys.implode())).fill_null(True).alias("issued"))

    def _add(self, keys: pl.Series) -> None:
        found = np.unique(pl.concat([self.keys, keys.rename("key")]).drop_nulls().to_numpy())
        self.keys = pl.Series("key", found.astype(str).tolist(), pl.String)
