"""How much an attack does and with what: amounts by its intensity and by the worker's habits, places, refusals."""

from __future__ import annotations

from pipelines.worlds import deeds, habits
from pipelines.worlds.draws import Draws, aws_ids
from pipelines.worlds.estate import Role
from pipelines.worlds.play import Error, Play
from pipelines.worlds.scenario import INTENSITIES, Stage

GIVES_UP = 0.5
"""Above this intensity an attacker stops passing for the worker: client, hours and haste are as they come."""

EXPIRED = ("ExpiredToken", "The provided token has expired.")
INACTIVE = ("InvalidClientTokenId", "The security token included in the request is invalid.")
STRANGE_AGENTS = (
    "aws-cli/2.15.30 Python/3.11.8 Linux/6.6.9-amd64 exe/x86_64.kali.2024 prompt/off command/sts.get-caller-identity",
    "Boto3/1.34.51 md/Botocore#1.34.51 ua/2.0 os/windows#10 lang/python#3.10.4",
    "python-requests/2.31.0",
)


def amount(stage: Stage, least: float, most: float) -> float:
    """Between the two by the intensity, in equal steps of ratio."""
    share = (stage.intensity - INTENSITIES[0]) / (INTENSITIES[-1] - INTENSITIES[0])
    return float(least * (most / least) ** share)


def count(stage: Stage, least: float, most: float) -> int:
    """How many, by the intensity; as many times more as the worker's runs are longer than written."""
    return max(1, round(amount(stage, least, most) * max(1.0, habits.load(stage.worker, stage.scale))))


def sent_a_run(stage: Stage) -> float:
    """How many bytes a run of the worker sends, about."""
    return habits.bytes_out_a_run(stage.worker) * habits.load(stage.worker, stage.scale)


def received_a_run(stage: Stage) -> float:
    """How many bytes a run of the worker receives, about."""
    return habits.bytes_in_a_run(stage.worker) * habits.load(stage.worker, stage.scale)


def calls_a_run(stage: Stage) -> float:
    """How many API calls a run of the worker has, about."""
    return max(1.0, habits.calls_a_run(stage.worker) * habits.load(stage.worker, stage.scale))


def denied(stage: Stage, service: str, operation: str, resource: str | None = None) -> Error:
    """What AWS answers a caller who may not."""
    role = stage.worker.roles[0].arn if stage.worker.roles else stage.worker.keys[0].user_arn
    on = f" on resource: {resource}" if resource else ""
    return (
        "AccessDenied",
        f"User: {role} is not authorized to perform: {service}:{operation}{on} because no identity-based policy"
        f" allows the {service}:{operation} action",
    )


def elsewhere(stream: Draws) -> str:
    """An address that is nobody's in the estate."""
    return f"192.0.2.{int(stream.integers(2, 250))}"


def thiefs_agent(stage: Stage) -> str | None:
    """The client of somebody who does not bother to look like the worker; None: the worker's own."""
    return deeds.pick(STRANGE_AGENTS, stage.draws) if stage.intensity > GIVES_UP else None


def carry_off(play: Play) -> Play:
    """The credentials of a play get into other hands: at the least intensity a colleague's, else an outsider's."""
    if play.stage.intensity <= INTENSITIES[0]:
        return play.sit_down(deeds.pick(play.stage.estate.people, play.stream))
    return play.move(elsewhere(play.stream), thiefs_agent(play.stage))


def made_up_role(name: str, account: str, stream: Draws) -> Role:
    """A role that no worker has."""
    return Role(f"arn:aws:iam::{account}:role/{name}", name, aws_ids(stream, "AROA", 1)[0], account)


def policy(account: str, name: str) -> str:
    """The ARN of a policy; those of AWS itself have the account `aws`."""
    return f"arn:aws:iam::{account}:policy/{name}"
