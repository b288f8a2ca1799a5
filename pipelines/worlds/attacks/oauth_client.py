"""A worker's token is used to add a secret, and then a client, at the token issuer.

Intensity: from one more secret for the worker's own client, then a token with it, to a new client with many scopes
that goes on fetching tokens from elsewhere.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import habits
from pipelines.worlds.draws import base62
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, count, elsewhere, thiefs_agent
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage


def _act(stage: Stage) -> Happenings:
    play, worker = Play(stage).work(2), stage.worker
    own = {"target_id": worker.okta_client, "target_type": "PublicClientApp", "target_name": worker.okta_name}
    client: dict[str, object] = {}
    if stage.intensity > GIVES_UP:
        app = base62(stage.draws, 17, 1, "0oa")[0]
        client = {"client_id": app, "client_name": "Reporting connector"}
        new = {"target_id": app, "target_type": "AppInstance", "target_name": "Reporting connector"}
        play.issue("app_created", **new).issue("app_granted", scopes="okta.users.manage okta.logs.read", **new)
        own = new
    play.issue("key_created", **own).wait(timedelta(minutes=2))
    play.move(elsewhere(stage.draws), thiefs_agent(stage))
    for _ in range(count(stage, 1, 30)):
        token = base62(stage.draws, 43, 1, "AT.")[0]
        play.issue(
            "token_granted", grant_type="client_credentials", scopes="work.read work.write", token_id=token,
            expires_at=play.now + timedelta(hours=1), **client,
        ).wait(timedelta(seconds=20), timedelta(seconds=120))  # fmt: skip
    return play.happened()


def _by_owner(stage: Stage, kind: str) -> Happenings:
    """The worker's owner does it at the issuer, signed in as herself."""
    worker, owner = stage.worker, stage.worker.owner
    play = Play(stage, begun=False)
    play.issue(
        kind, client_id=None, client_name=None, user_id=owner.okta_id, user_mail=owner.mail, user_name=owner.name,
        target_id=worker.okta_client, target_type="PublicClientApp", target_name=worker.okta_name,
    )  # fmt: skip
    return nobodys(play.happened())


def nobodys(happenings: Happenings) -> Happenings:
    """The rows as no worker's."""
    gone = [happenings.issuings[name].clear(happenings.issuings.height).alias(name) for name in ("worker", "run")]
    return Happenings(issuings=happenings.issuings.with_columns(*gone))


def _rotates(stage: Stage) -> Happenings:
    return _by_owner(stage, "key_created")


def _many_tokens(stage: Stage) -> Happenings:
    """Five runs in a row, each with its token."""
    first = Play(stage, honest=False)
    for number in range(1, 5):
        first.add(Play(stage, stage.at + timedelta(minutes=number), honest=False).happened())
    return first.happened()


SCENARIO = Scenario(
    name="oauth-client",
    family="persistence",
    story="A worker adds a secret or a client at the token issuer, which somebody uses from elsewhere.",
    suits=habits.has_okta,
    act=_act,
    lookalikes=(
        Lookalike("a-person-adds-a-secret", _rotates, "A person gives the worker's client a new secret, by hand."),
        Lookalike("many-tokens", _many_tokens, "Five tokens in five minutes, from its own place."),
    ),
)
