"""A worker's credentials are used to run language models that it never uses.

Intensity: from two calls of the smallest model to thousands of bytes and hundreds of calls of the largest, after
going through which models there are, in two regions.
"""

from __future__ import annotations

from datetime import timedelta

from pipelines.worlds import habits
from pipelines.worlds.bystanders import by_person
from pipelines.worlds.estate import Worker
from pipelines.worlds.happenings import Happenings
from pipelines.worlds.means import GIVES_UP, count, denied
from pipelines.worlds.play import Play
from pipelines.worlds.scenario import Lookalike, Scenario, Stage

_SMALL, _LARGE = "anthropic.claude-3-haiku-20240307-v1:0", "anthropic.claude-opus-4-20250514-v1:0"


def _uses_models(worker: Worker) -> bool:
    return habits.has_aws(worker) and any(use.service == "bedrock" for use in habits.at_hand(worker))


def _model(name: str, region: str) -> str:
    return f"arn:aws:bedrock:{region}::foundation-model/{name}"


def _act(stage: Stage) -> Happenings:
    play, many = Play(stage).work(2), count(stage, 2, 500)
    others = [region for region in stage.estate.regions if region != stage.worker.region]
    regions = [stage.worker.region] if stage.intensity <= GIVES_UP else [stage.worker.region, *others[:1]]
    name = _SMALL if stage.intensity <= GIVES_UP else _LARGE
    for region in regions:
        if stage.intensity > GIVES_UP:
            play.calls("bedrock", "ListFoundationModels", region=region, bytes_in=40_000)
            error = denied(stage, "bedrock", "InvokeModel", _model(_LARGE, region))
            play.calls("bedrock", "InvokeModel", 2, region=region, resource=_model(_LARGE, region), error=error)
        each = max(1, many // len(regions))
        play.calls(
            "bedrock", "InvokeModel", each, region=region, resource=_model(name, region), bytes_out=24_000,
            bytes_in=9_000, within=timedelta(seconds=min(1_200, 5 * each)),
        )  # fmt: skip
    return play.happened()


def _evaluation(stage: Stage) -> Happenings:
    """A worker that runs models anyway runs them five times as often."""
    play = Play(stage).work(2)
    for use in habits.at_hand(stage.worker):
        if use.service == "bedrock":
            play.use(use, play.usual(use, 5), within=timedelta(minutes=12))
    return play.happened()


def _person_tries(stage: Stage) -> Happenings:
    resource = _model(_SMALL, stage.worker.region)
    return by_person(stage, stage.at, "bedrock", "InvokeModel", resource=resource, many=6)


SCENARIO = Scenario(
    name="model-hijack",
    family="model",
    story="A worker that never runs language models runs them by the hundred.",
    suits=lambda worker: habits.has_aws(worker) and not any(use.service == "bedrock" for use in worker.uses),
    act=_act,
    lookalikes=(
        Lookalike("evaluation", _evaluation, "Its own model, five times as often.", _uses_models),
        Lookalike("a-person-tries-a-model", _person_tries, "A person tries a model in the console."),
    ),
)
