"""A worker takes on a role in another account and reads there.

Intensity: from one call in a sister account, under a role called like its own, to listing and reading by the hundred
there under the role that opens a whole account. (Of accounts that are not the company's it has no logs.)
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import habits
from pipelines.worlds.estate import Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, count, made_up_role
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage


def _act(stage: Stage) -> Happenings:
    worker = stage.worker
    known = {role.account for role in (*worker.roles, *worker.borrows)}
    sisters = [account for account in stage.estate.accounts if account not in known]
    account = sisters[0] if sisters else stage.estate.accounts[-1]
    name = worker.roles[0].name if stage.intensity <= GIVES_UP else "OrganizationAccountAccessRole"
    play = Play(stage).work(3).take_on(made_up_role(name, account, stage.draws))
    many = count(stage, 1, 120)
    if stage.intensity > GIVES_UP:
        play.calls("s3", "ListBuckets", bytes_in=8_000)
    play.calls(
        "s3",
        "GetObject",
        many,
        resource=f"arn:aws:s3:::{name.lower()}-{account}/export/{{n}}.csv",
        bytes_in=120_000,
        within=timedelta(seconds=min(1_500, 4 * many)),
    )
    return play.happened()


def _declared_role(stage: Stage) -> Happenings:
    play = Play(stage).work(2).take_on((*stage.worker.roles[1:], *stage.worker.borrows)[0])
    for use in stage.worker.uses:
        if use.second:
            play.use(use, play.usual(use))
    return play.happened()


def _has_second_role(worker: Worker) -> bool:
    return habits.has_session(worker) and any(use.second for use in worker.uses)


def _renews(stage: Stage) -> Happenings:
    """Two runs, one after the other, each under a session of its own."""
    first = Play(stage).work(3)
    second = Play(stage, first.now + timedelta(minutes=3)).work(3)
    return first.add(second.happened()).happened()


SCENARIO = Scenario(
    name="other-account",
    family="scope",
    story="A worker takes on a role in an account that it has no business in, and reads there.",
    suits=habits.has_session,
    act=_act,
    lookalikes=(
        Lookalike(
            "declared-second-role", _declared_role, "The second role that the manifest gives it.", _has_second_role
        ),
        Lookalike("two-runs-in-a-row", _renews, "The worker's own role, taken on twice within minutes."),
    ),
)
