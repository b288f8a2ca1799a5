"""Whether a confidence of 0.9 is right nine times in ten: the reliability diagram and its expected error."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from pipelines.evaluate.share import Share

BINS = 20
"""Equal bins, as is usual for the expected calibration error (Guo et al., ICML 2017); in tenths a certainty of 1 would
hide in one bin with a confidence of 0.9."""


@dataclass(frozen=True)
class Bin:
    """The actions with a worker and a confidence in [low, high), 1 in the last; `confidence` is their mean."""

    low: float
    high: float
    confidence: float
    right: Share


@dataclass(frozen=True)
class Calibration:
    """`error` is the mean of |share right - mean confidence| over bins, by their actions; null without any."""

    bins: tuple[Bin, ...]
    error: float | None


def calibration(tallied: pl.DataFrame) -> Calibration:
    """Of a tally of actions (`attribution.tally`): of those to which a worker was given, empty bins left out."""
    given = (
        tallied.filter(pl.col("bin").is_not_null())
        .group_by("bin")
        .agg(
            pl.col("n").sum(),
            pl.col("confidence").sum(),
            right=pl.when(pl.col("verdict") == "right").then("n").otherwise(0).sum(),
        )
        .sort("bin")
    )
    bins = tuple(
        Bin(row["bin"] / BINS, (row["bin"] + 1) / BINS, row["confidence"] / row["n"], Share(row["right"], row["n"]))
        for row in given.iter_rows(named=True)
    )
    total = sum(one.right.of for one in bins)
    off = sum(abs(one.right.count - one.confidence * one.right.of) for one in bins)
    return Calibration(bins, off / total if total else None)
