"""A worker opens a store to somebody outside.

Intensity: from one prefix for one foreign account to a bucket and its snapshots for everybody, the guards that forbid
it taken away first.
"""

from __future__ import annotations

import json

from pipelines.worlds import habits
from pipelines.worlds.bystanders import by_person
from pipelines.worlds.draws import hexes
from pipelines.worlds.estate import Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, count
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

_OUTSIDE = "999900001111"


def _bucket(worker: Worker) -> str:
    stores = [use.resource for use in habits.named(worker) if use.service == "s3" and use.resource]
    return habits.container(stores[0]) if stores else f"arn:aws:s3:::corp-{worker.name}-data"


def _opened(bucket: str, principal: str, what: str) -> dict[str, object]:
    statement = {"Effect": "Allow", "Principal": {"AWS": principal}, "Action": "s3:GetObject", "Resource": what}
    policy = json.dumps({"Version": "2012-10-17", "Statement": [statement]}, separators=(",", ":"))
    return {"bucketName": bucket.rpartition(":")[2], "policy": "", "bucketPolicy": json.loads(policy)}


def _snapshot(stage: Stage) -> tuple[str, dict[str, object]]:
    name = f"snap-0{hexes(stage.draws, 16, 1)[0]}"
    whom = {"group": "all"} if stage.intensity > 0.9 else {"userId": _OUTSIDE}
    asked: dict[str, object] = {
        "snapshotId": name,
        "attributeType": "CREATE_VOLUME_PERMISSION",
        "createVolumePermission": {"add": {"items": [whom]}},
    }
    return f"arn:aws:ec2:{stage.worker.region}::snapshot/{name}", asked


def _act(stage: Stage) -> Happenings:
    play, bucket = Play(stage).work(), _bucket(stage.worker)
    blatant = stage.intensity > GIVES_UP
    if blatant:
        name = bucket.rpartition(":")[2]
        play.calls("s3", "DeleteBucketPublicAccessBlock", resource=bucket, request={"bucketName": name})
    principal = "*" if blatant else f"arn:aws:iam::{_OUTSIDE}:root"
    what = f"{bucket}/*" if blatant else f"{bucket}/export/*"
    play.calls("s3", "PutBucketPolicy", resource=bucket, request=_opened(bucket, principal, what))
    for _ in range(count(stage, 1, 20) - 1):
        arn, asked = _snapshot(stage)
        play.calls("ec2", "ModifySnapshotAttribute", resource=arn, request=asked)
    return play.happened()


def _partner(stage: Stage) -> Happenings:
    """A person lets a sister account of the company read a prefix."""
    bucket, sister = _bucket(stage.worker), stage.estate.accounts[-1]
    asked = _opened(bucket, f"arn:aws:iam::{sister}:root", f"{bucket}/shared/*")
    return by_person(stage, stage.at, "s3", "PutBucketPolicy", resource=bucket, request=asked)


def _looks(stage: Stage) -> Happenings:
    """A person looks at who may read the bucket."""
    bucket = _bucket(stage.worker)
    asked = {"bucketName": bucket.rpartition(":")[2]}
    operations = ("GetBucketPolicy", "GetBucketPublicAccessBlock", "GetBucketAcl")
    return Happenings.all_of(
        by_person(stage, stage.at, "s3", operation, resource=bucket, request=asked) for operation in operations
    )


SCENARIO = Scenario(
    name="public-share",
    family="exfiltration",
    story="A worker opens a bucket and snapshots to somebody outside.",
    suits=habits.has_aws,
    act=_act,
    lookalikes=(
        Lookalike("shared-with-a-sister", _partner, "A person lets a sister account of the company read a prefix."),
        Lookalike("who-may-read-it", _looks, "A person reads the bucket's policy in the console."),
    ),
)
