"""Stage (b): one transaction that brings manifests, bindings and chains to what the evidence says now."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from pipelines import schema
from pipelines.ingest.commit import stage_row
from pipelines.lake.engines import StageEngine
from pipelines.lake.replace import Changes, replace
from pipelines.lake.store import Writer
from pipelines.lake.views import attributions_sql
from pipelines.stitch.chains import chain
from pipelines.stitch.epochs import bind_over_time


@dataclass(frozen=True)
class Stitched:
    """What stage (b) changed; `from_now` are the workers whose changed manifest counts from this run on alone."""

    bindings: Changes
    chains: Changes
    from_now: tuple[str, ...] = ()


def commit(writer: Writer, engine: StageEngine, *, run_id: str, now: datetime, inputs_sha256: str) -> Stitched:
    """Recompute bindings and chains from grants, acts_as, actions and `identity_claims`, and write what differs."""
    bind_over_time(engine)
    engine.let("attributed_all", attributions_sql(bindings="bound"))
    chain(engine)
    engine.hand_over("bound", "chained")
    stitched = Stitched(
        bindings=replace(writer, schema.BINDINGS, "bound", key=("uid", "valid_from")),
        chains=replace(writer, schema.CHAINS, "chained", key=("chain_id",)),
    )
    stage_row(writer, run_id, "b", now, inputs_sha256)
    return stitched
