"""A finding's revision as an OCSF Detection Finding (class 2004), in a schema version that is released.

Source: schema.ocsf.io 1.8.0, `detection_finding` and the objects that it holds. `ai_agent` is not in a
released schema yet (1.9.0-dev), and OCSF has no object for delegation; both go to `unmapped`, in the
shape that 1.9.0-dev gives `ai_agent`, so that a strict validator passes today.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import version
from typing import Any, Literal

from detectors.uuid5 import ALERTS
from pipelines.alerts import ocsf_objects as objects
from pipelines.alerts.ocsf_objects import Json
from pipelines.alerts.text import bounded, plain

SCHEMA_VERSION = "1.8.0"
CLASS_UID = 2004

Change = Literal["created", "updated", "closed"]

ACTIVITIES: dict[Change, tuple[int, str]] = {"created": (1, "Create"), "updated": (2, "Update"), "closed": (3, "Close")}
SEVERITIES = {
    "info": (1, "Informational"),
    "low": (2, "Low"),
    "medium": (3, "Medium"),
    "high": (4, "High"),
    "critical": (5, "Critical"),
}
STATUSES = {
    "open": (1, "New"),
    "acknowledged": (2, "In Progress"),
    "suppressed": (3, "Suppressed"),
    "resolved": (4, "Resolved"),
}
CONFIDENCES = {0: "Unknown", 1: "Low", 2: "Medium", 3: "High"}
_STRENGTH_CONFIDENCE = {"proven": 3, "asserted": 2, "inferred": 2, "ambiguous": 1}
_MODEL_CONFIDENCE = ((0.001, 3), (0.01, 2), (1.0, 1))
"""A model's finding is trusted by its p-value: the share of normal windows that look as odd or odder."""

LONGEST_EXPLANATION = 200_000


@dataclass(frozen=True)
class Notice:
    """One revision of a finding, and what changed with it.

    `finding` is a row of the findings table, `actions` rows of the actions table (its first evidence),
    `chain` a row of the chains table, `attribution` one of the attributions view (of its first evidence).
    """

    finding: Mapping[str, Any]
    change: Change
    actions: Sequence[Mapping[str, Any]] = ()
    chain: Mapping[str, Any] | None = None
    attribution: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Limits:
    """How much of the unbounded parts a body may hold."""

    actions: int = 10
    action_uids: int = 50
    hops: int = 20
    tags: int = 32
    systems: int = 20


@dataclass
class Draft:
    """A body, its explanation kept apart so that it can be cut to what fits, and what was cut so far."""

    body: Json
    explanation: Json
    cut: list[str] = field(default_factory=list)


def event_uid(finding_uid: str, revision: int) -> str:
    """The id of a revision as receivers see it: the same in every attempt and at every destination."""
    return str(uuid.uuid5(ALERTS, f"{finding_uid}|{revision}"))


def draft(notice: Notice, limits: Limits) -> Draft:
    """The Detection Finding of a notice within `limits`, its explanation apart."""
    finding = notice.finding
    explanation, cut = _explanation(finding.get("explanation"))
    attribution = _attribution(notice, explanation)
    hops = (notice.attribution or {}).get("path") or []
    action_uids = list(finding.get("evidence") or ())
    count = max(len(action_uids), objects.whole(explanation.get("evidence_count")))
    tags = [bounded(tag, objects.TAG) for tag in finding.get("tags") or ()]
    for name, rows, limit in (
        ("evidences", notice.actions, limits.actions),
        ("action_uids", action_uids, limits.action_uids),
        ("hops", hops, limits.hops),
        ("tags", tags, limits.tags),
        ("systems", (notice.chain or {}).get("systems") or (), limits.systems),
    ):
        if len(rows) > limit:
            cut.append(f"{name}: {limit} of {len(rows)}")
    activity_id, activity = ACTIVITIES[notice.change]
    severity_id, severity = SEVERITIES.get(finding["severity"], (0, "Unknown"))
    status_id, status = STATUSES.get(finding["status"], (0, "Unknown"))
    confidence_id = _confidence_id(finding, attribution["strength"])
    chance = attribution["confidence"]
    body = _without_nulls(
        {
            "activity_id": activity_id,
            "activity_name": activity,
            "category_uid": 2,
            "category_name": "Findings",
            "class_uid": CLASS_UID,
            "class_name": "Detection Finding",
            "type_uid": CLASS_UID * 100 + activity_id,
            "type_name": f"Detection Finding: {activity}",
            "time": objects.epoch_ms(finding["created_at"]),
            "start_time": objects.epoch_ms(finding["window_start"]),
            "end_time": objects.epoch_ms(finding["window_end"]),
            "severity_id": severity_id,
            "severity": severity,
            "status_id": status_id,
            "status": status,
            "status_detail": objects.name(finding["resolution"]),
            "confidence_id": confidence_id,
            "confidence": CONFIDENCES[confidence_id],
            "confidence_score": None if chance is None else round(100 * chance),
            "is_alert": None if notice.change == "closed" else True,
            "message": bounded(finding["title"] or "", objects.LINE),
            "metadata": _metadata(finding),
            "finding_info": _finding_info(finding, tags[: limits.tags], attribution, count),
            "resources": objects.resources(finding["entity"]),
            "evidences": objects.evidences(finding, notice.actions[: limits.actions], count),
            "observables": objects.observables(finding),
            "remediation": {
                "desc": f"Run `workertrail show {bounded(finding['finding_uid'], objects.ID)}` for the evidence."
            },
            "unmapped": {
                "ai_agent": objects.ai_agent(finding),
                "delegation": objects.delegation(attribution),
                "workertrail": {
                    "detector": objects.name(finding["detector"]),
                    "verdict": attribution["verdict"],
                    "attribution": {"strength": attribution["strength"], "confidence": chance},
                    "score": objects.number(finding["score"]),
                    "p_value": objects.number(finding["p_value"]),
                    "hops": [objects.hop(hop) for hop in hops[: limits.hops]],
                    "chain": objects.chain(notice.chain, limits.systems),
                    "evidence": {
                        "count": count,
                        "action_uids": [objects.uid(uid) for uid in action_uids[: limits.action_uids]],
                    },
                    "snapshot_id": finding["snapshot_id"],
                    "model_id": objects.identifier(finding["model_id"]),
                    "previous_uid": objects.identifier(finding["previous_uid"]),
                    "revised_at": objects.rfc3339(finding["revised_at"]),
                },
            },
        }
    )
    return Draft(body, explanation, cut)


def _explanation(text: str | None) -> tuple[Json, list[str]]:
    """The detector's explanation as an object, and what of it could not be kept."""
    if not text:
        return {}, []
    if len(text) > LONGEST_EXPLANATION:
        return {}, [f"explanation: {len(text)} characters"]
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return {"text": bounded(text, 4 * objects.LINE)}, ["explanation: no JSON object"]
    value = plain(value)
    return (value if isinstance(value, dict) else {"text": value}), []


def _attribution(notice: Notice, explanation: Json) -> Json:
    """Who acted for whom and how sure that is: what the detector says, else the attribution, else the chain.

    `desc` sets what was seen against what was expected, the first thing that an analyst asks.
    """
    said = {key: value for key, value in explanation.items() if value is not None}
    known = {**(notice.chain or {}), **(notice.attribution or {}), **said}
    confidence = known.get("confidence")
    certain = isinstance(confidence, int | float) and not isinstance(confidence, bool) and 0 <= confidence <= 1
    seen = [f"{word.capitalize()}: {said[word]}" for word in ("seen", "expected") if isinstance(said.get(word), str)]
    return {
        "strength": objects.name(said.get("attribution")) or objects.name(known.get("strength")),
        "confidence": confidence if certain else None,
        "delegator": objects.name(known.get("delegator")),
        "delegator_strength": objects.name(known.get("delegator_strength")),
        "verdict": objects.name(said.get("verdict")),
        "desc": objects.name(". ".join(seen)),
    }


def _confidence_id(finding: Mapping[str, Any], strength: str | None) -> int:
    """The weaker of the detector's confidence (a rule's is high) and the attribution's."""
    attribution = _STRENGTH_CONFIDENCE.get(strength or "", 0)
    if finding["model_id"] is None:
        return attribution
    p_value = objects.number(finding["p_value"])
    model = next((level for bound, level in _MODEL_CONFIDENCE if p_value is not None and p_value <= bound), 0)
    return min(attribution, model) if attribution else model


def _metadata(finding: Mapping[str, Any]) -> Json:
    return {
        "version": SCHEMA_VERSION,
        "product": {
            "name": "WorkerTrail",
            "uid": "workertrail",
            "vendor_name": "WorkerTrail",
            "version": _product_version(),
        },
        "uid": event_uid(finding["finding_uid"], finding["revision"]),
        "correlation_uid": objects.identifier(finding["chain_id"]),
        "sequence": finding["revision"],
        "log_name": "findings",
        "original_time": objects.rfc3339(finding["window_end"]),
        "modified_time": objects.epoch_ms(finding["revised_at"]),
    }


@cache
def _product_version() -> str:
    return version("workertrail")


def _finding_info(finding: Mapping[str, Any], tags: list[str], attribution: Json, count: int) -> Json:
    type_id, kind = (1, "Rule") if finding["model_id"] is None else (4, "Learning (ML/DL)")
    return {
        "uid": objects.identifier(finding["finding_uid"]),
        "title": bounded(finding["title"] or "", objects.LINE),
        "desc": attribution["desc"],
        "analytic": {
            "type_id": type_id,
            "type": kind,
            "name": objects.name(finding["detector"]),
            "uid": objects.name(finding["detector"]),
            "version": objects.identifier(finding["detector_version"]),
        },
        "created_time": objects.epoch_ms(finding["created_at"]),
        "modified_time": objects.epoch_ms(finding["revised_at"]),
        "first_seen_time": objects.epoch_ms(finding["window_start"]),
        "last_seen_time": objects.epoch_ms(finding["window_end"]),
        "related_events_count": count,
        "attacks": [attack for tag in tags if (attack := objects.attack(tag))],
        "tags": [objects.tag(tag) for tag in tags],
    }


def _without_nulls(value: Any) -> Any:
    """OCSF leaves unknown attributes out; so are objects and lists that hold nothing."""
    if isinstance(value, dict):
        kept = {key: _without_nulls(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each is not None and each not in ({}, [], "")}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value
