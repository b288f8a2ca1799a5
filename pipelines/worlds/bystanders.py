"""What people do in AWS beside the workers: the benign twins of much that attacks do."""

from __future__ import annotations

from datetime import datetime, timedelta

from pipelines.worlds import deeds, names
from pipelines.worlds.apis import is_read_only
from pipelines.worlds.draws import aws_ids, draws
from pipelines.worlds.estate import Person
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.play import PACE, Session, as_json
from pipelines.worlds.rotation import administrator
from pipelines.worlds.scenario import Stage


def by_person(
    stage: Stage,
    at: datetime,
    service: str,
    operation: str,
    *,
    resource: str | None = None,
    request: object = None,
    response: object = None,
    many: int = 1,
) -> Happenings:
    """What a person does herself in AWS, no worker's doing: the administrator changes, the worker's owner looks.

    The administrator is an IAM user at a terminal; the owner has the last of the roles that people share.
    """
    estate, changes = stage.estate, not is_read_only(service, operation)
    person = administrator(estate) if changes else stage.worker.owner
    login = person.mail.partition("@")[0]
    made = deeds.calls(
        _administrators(person, stage.worker.account) if changes else _owners(stage, at),
        deeds.moments(at, many, PACE * many, stage.draws),
        service,
        operation,
        truth=deeds.truth(None),
        address=deeds.pick(estate.egress, stage.draws),
        agent=names.CLI if changes else names.BROWSERS[0],
        region=stage.worker.region,
        stream=stage.draws,
        resource=resource,
        request=as_json(request),
        response=as_json(response),
    )
    return Happenings(made, deeds.tunnels_of(made, user=login, client=person.address, stream=stage.draws))


def _administrators(person: Person, account: str) -> Session:
    """The session of the key that `rotation` changes workers' keys with."""
    own, login = draws(0, "administrator", person.okta_id, account), person.mail.partition("@")[0]
    key, user_id = aws_ids(own, "AKIA", 1)[0], aws_ids(own, "AIDA", 1)[0]
    return deeds.user_session(key, login, f"arn:aws:iam::{account}:user/{login}", user_id, account)


def _owners(stage: Stage, at: datetime) -> Session:
    role, name = stage.estate.people_roles[-1], stage.worker.owner.mail.partition("@")[0]
    return {
        "identity_type": "AssumedRole",
        "caller_account": role.account,
        "principal_id": f"{role.unique_id}:{name}",
        "arn": f"arn:aws:sts::{role.account}:assumed-role/{role.name}/{name}",
        "access_key": aws_ids(stage.draws, "ASIA", 1)[0],
        "issuer_arn": role.arn,
        "issuer_id": role.unique_id,
        "session_created": at - timedelta(minutes=7),
        "console": True,
    }
