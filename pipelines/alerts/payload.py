"""What a webhook carries: an OCSF Detection Finding in the envelope of Standard Webhooks, under 20 kB.

Source: Standard Webhooks 1.0.0, "Payload structure" and "Payload size". The same notice gives the same bytes.
"""

from __future__ import annotations

import json
from typing import Any

from pipelines.alerts.ocsf import Draft, Limits, Notice, draft
from pipelines.alerts.ocsf_objects import Json, rfc3339
from pipelines.alerts.text import bounded

LARGEST = 20_000
"""Bytes; the specification advises to stay below 20 kB."""

TIGHTER = (
    Limits(),
    Limits(actions=3),
    Limits(actions=1, action_uids=10, hops=8),
    Limits(actions=0, action_uids=0, hops=0, tags=16, systems=0),
)
"""Evidence is cut first, step by step, then the explanation."""

ENOUGH_EXPLANATION = 8_000
"""Bytes of explanation for which evidence makes room."""

ROOM_FOR_CUTS = 900
"""Bytes that the list of what was cut from the explanation takes at most."""


def encode(value: Any) -> str:
    """Compact JSON in ASCII, so control characters and every other odd one are escaped; HTML's signs too."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026")


def webhook(notice: Notice) -> str:
    """The body of one webhook: `{type, timestamp, data}`, at most `LARGEST` bytes, saying what was cut."""
    for limits in TIGHTER:
        drafted = draft(notice, limits)
        whole = encode(_envelope(notice, _assemble(drafted, drafted.explanation, [])))
        if len(whole) <= LARGEST:
            return whole
        room = LARGEST - len(encode(_envelope(notice, _assemble(drafted, {}, ["x" * ROOM_FOR_CUTS]))))
        if room >= ENOUGH_EXPLANATION:
            break
    kept, cut = _fit(drafted.explanation, room)
    return encode(_envelope(notice, _assemble(drafted, kept, cut)))


def _envelope(notice: Notice, data: Json) -> Json:
    return {"type": f"finding.{notice.change}", "timestamp": rfc3339(notice.finding["revised_at"]), "data": data}


def _assemble(drafted: Draft, explanation: Json, cut: list[str]) -> Json:
    """The body with its explanation put in, and a list of what did not fit."""
    everything_cut = drafted.cut + cut
    unmapped = drafted.body["unmapped"]
    ours = {**unmapped["workertrail"], "explanation": explanation}
    metadata = drafted.body["metadata"]
    if everything_cut:
        ours["cut"] = everything_cut
        metadata = {**metadata, "is_truncated": True}
    return {**drafted.body, "metadata": metadata, "unmapped": {**unmapped, "workertrail": ours}}


def _fit(explanation: Json, room: int) -> tuple[Json, list[str]]:
    """The parts of an explanation that fit into `room` bytes, smallest first, and the names of the others."""
    sizes = {key: len(encode({key: value})) for key, value in explanation.items()}
    kept: set[str] = set()
    for key in sorted(sizes, key=lambda key: (sizes[key], key)):
        if sizes[key] > room:
            break
        kept.add(key)
        room -= sizes[key]
    cut = [key for key in explanation if key not in kept]
    named = [f"explanation.{bounded(key, 64)}" for key in cut[:8]]
    if len(cut) > len(named):
        named.append(f"explanation: {len(cut) - len(named)} more")
    return {key: value for key, value in explanation.items() if key in kept}, named
