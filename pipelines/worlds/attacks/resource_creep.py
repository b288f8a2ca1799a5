"""A worker reads what lies beside its own data.

Intensity: at 0.1 two objects of a bucket that is called almost like its own; then ever more objects of data that
another worker reads; above 0.5 it lists before it reads, and at the end it reads from several stores.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from pipelines.worlds import deeds, habits
from pipelines.worlds.estate import Use, Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, count, denied
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

_NEAR = 0.3
_SIBLING = "arn:aws:s3:::{name}-archive/{{day}}/part-{{n}}.csv"


def _neighbours(stage: Stage) -> list[Use]:
    own = habits.container(habits.reads(stage.worker)[0].resource or "").rpartition(":")[2].rpartition("/")[2]
    near = Use("s3", "GetObject", _SIBLING.format(name=own), bytes_in=(20_000, 400_000), is_data=True)
    foreign = habits.foreign_reads(stage.estate, stage.worker)
    if stage.intensity <= _NEAR or not foreign:
        return [near]
    first = int(stage.draws.integers(len(foreign)))
    stores = 1 if stage.intensity <= GIVES_UP else 3
    return [foreign[(first + step) % len(foreign)] for step in range(min(stores, len(foreign)))]


def _act(stage: Stage) -> Happenings:
    play = Play(stage).work()
    uses = _neighbours(stage)
    for use in uses:
        if stage.intensity > GIVES_UP and use.service == "s3":
            play.calls("s3", "ListObjects", 2, resource=f"{habits.container(use.resource or '')}/", bytes_in=9_000)
        many = max(1, count(stage, 2, 90) // len(uses))
        play.use(use, many, within=timedelta(seconds=min(1_200, 4 * many)))
    return play.happened()


def _new_shelf(stage: Stage) -> Happenings:
    """Objects of its own store that nobody has read before."""
    use = habits.reads(stage.worker)[0]
    play = Play(stage).work(2)
    many = play.usual(use, 1.5)
    return play.use(use, many, within=timedelta(seconds=5 * many)).happened()


def _broken_rollout(stage: Stage) -> Happenings:
    use = deeds.pick(habits.named(stage.worker), stage.draws)
    play = Play(stage).work(1)
    refused = replace(use, count=(1, 1))
    many = max(1, min(9, (stage.worker.denied_an_hour or 20) // 2))
    for _ in range(many):
        error = denied(stage, use.service, use.operation, use.resource)
        play.use(refused, 1, error=error).wait(timedelta(seconds=5), timedelta(seconds=60))
    return play.happened()


def _suits(worker: Worker) -> bool:
    return habits.has_aws(worker) and bool(habits.reads(worker))


SCENARIO = Scenario(
    name="resource-creep",
    family="scope",
    story="A worker reads data that is next to its own and not its business.",
    suits=_suits,
    act=_act,
    lookalikes=(
        Lookalike("new-shelf", _new_shelf, "New objects of the store that its manifest names, a few more than usual."),
        Lookalike(
            "broken-rollout",
            _broken_rollout,
            "A role lost one permission: refused retries of an operation that the manifest allows.",
        ),
    ),
)
