"""A worker's client puts somebody into a group with more rights at the token issuer.

Intensity: how many are put in, from one into a team's group to a dozen into the administrators', with the rules for
signing in weakened too.
"""

from __future__ import annotations

from pipelines.worlds import deeds, habits
from pipelines.worlds.attacks.oauth_client import nobodys
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, count
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

_TEAM, _ADMINS = ("00g1teamreaders", "Team readers"), ("00g1orgadmins", "Org administrators")


def _joined(stage: Stage, play: Play, group: tuple[str, str], **actor: object) -> None:
    person = deeds.pick(stage.estate.people, stage.draws)
    given = {"user_id": person.okta_id, "user_mail": person.mail, "user_name": person.name} | actor
    play.issue("member_added", target_id=group[0], target_type="UserGroup", target_name=group[1], **given)


def _act(stage: Stage) -> Happenings:
    play = Play(stage).work(2)
    group = _ADMINS if stage.intensity > GIVES_UP else _TEAM
    for _ in range(count(stage, 1, 12)):
        _joined(stage, play, group)
    if stage.intensity > GIVES_UP:
        play.issue("policy_changed", target_id="00p1signon", target_type="PolicyEntity", target_name="Sign-on policy")
    return play.happened()


def _by_owner(stage: Stage) -> Happenings:
    play, owner = Play(stage, begun=False), stage.worker.owner
    actor = {"client_id": None, "client_name": None}
    for _ in range(3):
        _joined(stage, play, _TEAM, **actor, user_id=owner.okta_id, user_mail=owner.mail, user_name=owner.name)
    return nobodys(play.happened())


def _ordinary(stage: Stage) -> Happenings:
    return Play(stage, honest=False).work(6).happened()


SCENARIO = Scenario(
    name="group-joined",
    family="escalation",
    story="A worker puts people into groups with more rights at the token issuer.",
    suits=habits.has_okta,
    act=_act,
    lookalikes=(
        Lookalike("a-person-adds-members", _by_owner, "A person adds members to her team's group by hand."),
        Lookalike("a-token-as-always", _ordinary, "The worker's client fetches a token as always."),
    ),
)
