"""What administrators do for workers: new keys are made before old ones are switched off."""

from __future__ import annotations

import json
from datetime import datetime, time, timedelta

from pipelines.worlds import deeds, names
from pipelines.worlds.draws import Draws, aws_ids, draws
from pipelines.worlds.estate import AccessKey, Estate, Person
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.size import Size

_HOUR_OF_CHANGES = 9


def rotations(estate: Estate, size: Size, day: int) -> Happenings:
    """The changes of a day: keys are made on the day before their first use and switched off after their last."""
    parts = []
    midnight = datetime.combine(size.first_day + timedelta(days=day), time())
    for worker in estate.workers:
        for key in worker.keys:
            if day not in (key.first_day - 1, key.end_day):
                continue
            stream = draws(size.seed, "rotation", key.key, day)
            at = midnight + timedelta(hours=_HOUR_OF_CHANGES, seconds=int(stream.integers(0, 3_000)))
            operation, made = ("UpdateAccessKey", None) if key.end_day == day else ("CreateAccessKey", _made(key, at))
            parts.append(_by_admin(estate, at, key, operation, made, stream))
    return Happenings.all_of(parts)


def administrator(estate: Estate) -> Person:
    """Who makes and ends keys."""
    return next(person for person in estate.people if person.team == "security")


def _made(key: AccessKey, at: datetime) -> str:
    made = {"accessKeyId": key.key, "status": "Active", "userName": key.user,
            "createDate": f"{at:%b} {at.day}, {at.year} {at.hour % 12 or 12}:{at:%M:%S %p}"}  # fmt: skip
    return json.dumps({"accessKey": made}, separators=(",", ":"))


def _by_admin(
    estate: Estate, at: datetime, key: AccessKey, operation: str, response: str | None, stream: Draws
) -> Happenings:
    """Listed first, then changed, by an IAM user of the administrator's."""
    admin = administrator(estate)
    own = draws(0, "administrator", admin.okta_id, key.account)
    login = admin.mail.partition("@")[0]
    arn = f"arn:aws:iam::{key.account}:user/{login}"
    session = deeds.user_session(aws_ids(own, "AKIA", 1)[0], login, arn, aws_ids(own, "AIDA", 1)[0], key.account)
    asked = {"userName": key.user}
    changed = asked if response else {**asked, "accessKeyId": key.key, "status": "Inactive"}
    made = deeds.calls(
        session, [at, at + timedelta(seconds=40)], "iam", ["ListAccessKeys", operation], truth=deeds.truth(None),
        address=estate.egress[0], agent=names.CLI, region=estate.regions[0], resource=key.user_arn, stream=stream,
        request=[json.dumps(asked, separators=(",", ":")), json.dumps(changed, separators=(",", ":"))],
        response=[None, response],
    )  # fmt: skip
    return Happenings(made, deeds.tunnels_of(made, user=login, client=admin.address, stream=stream))
