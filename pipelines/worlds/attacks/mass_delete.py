"""A worker deletes what it was to keep.

Intensity: from two objects of its own store to hundreds, with the versions switched off first and the keys that
protect them scheduled for deletion.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import habits
from pipelines.worlds.estate import Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, count
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage


def _stores(worker: Worker) -> list[str]:
    return [use.resource for use in habits.named(worker) if use.service == "s3" and use.resource]


def _suits(worker: Worker) -> bool:
    deletes = any(use.operation.startswith("Delete") for use in worker.uses if use.service == "s3")
    return habits.has_aws(worker) and bool(_stores(worker)) and not deletes


def _act(stage: Stage) -> Happenings:
    play, store = Play(stage).work(3), _stores(stage.worker)[0]
    bucket = habits.container(store)
    if stage.intensity > GIVES_UP:
        name = bucket.rpartition(":")[2]
        asked = {"bucketName": name, "VersioningConfiguration": {"Status": "Suspended"}}
        play.calls("s3", "PutBucketVersioning", resource=bucket, request=asked)
        key = f"arn:aws:kms:{stage.worker.region}:{stage.worker.account}:key/0b1d7a3e-5c0f-4a9e-9d1c-66f2b7a41d20"
        play.calls("kms", "ScheduleKeyDeletion", resource=key, request={"keyId": key, "pendingWindowInDays": 7})
    many = count(stage, 2, 300)
    play.calls("s3", "DeleteObject", many, resource=store, bytes_in=300, within=timedelta(seconds=min(1_500, 3 * many)))
    return play.happened()


def _overwrites(stage: Stage) -> Happenings:
    use = habits.writes(stage.worker)[0]
    play = Play(stage).work(2)
    return play.use(use, play.usual(use, 2)).happened()


def _cleans_up(stage: Stage) -> Happenings:
    use = next(use for use in habits.at_hand(stage.worker) if use.operation.startswith("Delete"))
    play = Play(stage).work(2)
    return play.use(use, play.usual(use, 2)).happened()


SCENARIO = Scenario(
    name="mass-delete",
    family="scope",
    story="A worker deletes objects, versions and keys that it was to keep.",
    suits=_suits,
    act=_act,
    lookalikes=(
        Lookalike(
            "rewrites-its-files", _overwrites, "It writes its own files anew, twice as many as usual.",
            lambda worker: habits.has_aws(worker) and bool(habits.writes(worker)),
        ),
        Lookalike(
            "declared-clean-up", _cleans_up, "Deleting is what this worker does as a matter of course.",
            lambda worker: habits.has_aws(worker) and any(use.operation.startswith("Delete") for use in worker.uses),
        ),
    ),
)  # fmt: skip
