"""A finding's revision as an OCSF Detection Finding (class 2004), in a schema version that is released.

Source: schema.ocsf.io 1.8.0, `detection_finding` and the objects that it holds. `ai_agent` is not in a
released schema yet (1.9.0-dev), and OCSF has no object for delegation; both go to `unmapped`, in the
shape that 1.9.0-dev gives `ai_agent`, so that a strict validator passes today.
"""

from __future__ import annotations

import ipaddress
import json
import math
import re
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import cache
from importlib.metadata import version
from typing import Any, Literal

from detectors.uuid5 import ALERTS
from pipelines import identifiers
from pipelines.alerts.text import bounded, plain

SCHEMA_VERSION = "1.8.0"
ATTACK_VERSION = "19"
CLASS_UID = 2004

Change = Literal["created", "updated", "closed"]
Json = dict[str, Any]

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
_ID, _NAME, _LINE, _TAG = 100, 600, 600, 64
_HOST = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,251}[A-Za-z0-9_])?")


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


def epoch_ms(time: datetime | None) -> int | None:
    """Milliseconds since 1970 of a naive UTC time, as OCSF's `timestamp_t` wants them."""
    return None if time is None else (time - datetime(1970, 1, 1)) // timedelta(milliseconds=1)


def rfc3339(time: datetime | None) -> str | None:
    """A naive UTC time as RFC 3339 text with milliseconds."""
    return None if time is None else time.isoformat(timespec="milliseconds") + "Z"


def draft(notice: Notice, limits: Limits) -> Draft:
    """The Detection Finding of a notice within `limits`, its explanation apart."""
    finding = notice.finding
    explanation, cut = _explanation(finding.get("explanation"))
    attribution = _attribution(notice, explanation)
    hops = (notice.attribution or {}).get("path") or []
    action_uids = list(finding.get("evidence") or ())
    count = max(len(action_uids), _whole(explanation.get("evidence_count")))
    tags = [bounded(tag, _TAG) for tag in finding.get("tags") or ()]
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
            "time": epoch_ms(finding["created_at"]),
            "start_time": epoch_ms(finding["window_start"]),
            "end_time": epoch_ms(finding["window_end"]),
            "severity_id": severity_id,
            "severity": severity,
            "status_id": status_id,
            "status": status,
            "status_detail": _name(finding["resolution"]),
            "confidence_id": confidence_id,
            "confidence": CONFIDENCES[confidence_id],
            "confidence_score": None if chance is None else round(100 * chance),
            "is_alert": None if notice.change == "closed" else True,
            "message": bounded(finding["title"] or "", _LINE),
            "metadata": _metadata(finding),
            "finding_info": _finding_info(finding, tags[: limits.tags], attribution, count),
            "resources": _resources(finding["entity"]),
            "evidences": _evidences(finding, notice.actions[: limits.actions], count),
            "observables": _observables(finding),
            "remediation": {"desc": f"Run `workertrail show {bounded(finding['finding_uid'], _ID)}` for the evidence."},
            "unmapped": {
                "ai_agent": _ai_agent(finding),
                "delegation": _delegation(attribution),
                "workertrail": {
                    "detector": _name(finding["detector"]),
                    "verdict": attribution["verdict"],
                    "attribution": {"strength": attribution["strength"], "confidence": chance},
                    "score": _number(finding["score"]),
                    "p_value": _number(finding["p_value"]),
                    "hops": [_hop(hop) for hop in hops[: limits.hops]],
                    "chain": _chain(notice.chain, limits),
                    "evidence": {
                        "count": count,
                        "action_uids": [bounded(uid, _ID) for uid in action_uids[: limits.action_uids]],
                    },
                    "snapshot_id": finding["snapshot_id"],
                    "model_id": _id(finding["model_id"]),
                    "previous_uid": _id(finding["previous_uid"]),
                    "revised_at": rfc3339(finding["revised_at"]),
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
        return {"text": bounded(text, 4 * _LINE)}, ["explanation: no JSON object"]
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
        "strength": _name(said.get("attribution")) or _name(known.get("strength")),
        "confidence": confidence if certain else None,
        "delegator": _name(known.get("delegator")),
        "delegator_strength": _name(known.get("delegator_strength")),
        "verdict": _name(said.get("verdict")),
        "desc": _name(". ".join(seen)),
    }


def _confidence_id(finding: Mapping[str, Any], strength: str | None) -> int:
    """The weaker of the detector's confidence (a rule's is high) and the attribution's."""
    attribution = _STRENGTH_CONFIDENCE.get(strength or "", 0)
    if finding["model_id"] is None:
        return attribution
    p_value = _number(finding["p_value"])
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
        "correlation_uid": _id(finding["chain_id"]),
        "sequence": finding["revision"],
        "log_name": "findings",
        "original_time": rfc3339(finding["window_end"]),
        "modified_time": epoch_ms(finding["revised_at"]),
    }


@cache
def _product_version() -> str:
    return version("workertrail")


def _finding_info(finding: Mapping[str, Any], tags: list[str], attribution: Json, count: int) -> Json:
    type_id, kind = (1, "Rule") if finding["model_id"] is None else (4, "Learning (ML/DL)")
    return {
        "uid": _id(finding["finding_uid"]),
        "title": bounded(finding["title"] or "", _LINE),
        "desc": attribution["desc"],
        "analytic": {
            "type_id": type_id,
            "type": kind,
            "name": _name(finding["detector"]),
            "uid": _name(finding["detector"]),
            "version": _id(finding["detector_version"]),
        },
        "created_time": epoch_ms(finding["created_at"]),
        "modified_time": epoch_ms(finding["revised_at"]),
        "first_seen_time": epoch_ms(finding["window_start"]),
        "last_seen_time": epoch_ms(finding["window_end"]),
        "related_events_count": count,
        "attacks": [attack for tag in tags if (attack := _attack(tag))],
        "tags": [_tag(tag) for tag in tags],
    }


def _attack(tag: str) -> Json | None:
    """`attack.t1078.004` is technique T1078 with sub-technique T1078.004; other tags are no technique."""
    family, _, name = tag.partition(".")
    name = name.upper()
    if family != "attack" or not name.startswith("T") or not name[1:5].isdigit():
        return None
    technique, _, sub = name.partition(".")
    return {
        "technique": {"uid": technique},
        "sub_technique": {"uid": name} if sub else None,
        "version": ATTACK_VERSION,
    }


def _tag(tag: str) -> Json:
    name, _, value = tag.partition(".")
    return {"name": name, "value": value}


def _resources(entity: str | None) -> list[Json]:
    if not entity:
        return []
    kind = identifiers.kind_of(entity)
    return [{"uid": _name(entity), "type": _id(kind) if ":" in kind and kind != entity else None}]


def _observables(finding: Mapping[str, Any]) -> list[Json]:
    """The two names that an analyst pivots on. Type ids: 31 is a user's uid, 10 a resource's."""
    found = (
        ("evidences[0].actor.user.uid", 31, finding["principal"]),
        ("resources[0].uid", 10, finding["entity"]),
    )
    return [{"name": name, "type_id": type_id, "value": _name(value)} for name, type_id, value in found if value]


def _evidences(finding: Mapping[str, Any], actions: Sequence[Mapping[str, Any]], count: int) -> list[Json]:
    """First who did it to what, then the first actions that show it."""
    overall = {
        "name": "workertrail.finding",
        "actor": _actor(finding["worker"], finding["principal"]),
        "resources": _resources(finding["entity"]),
        "data": {"actions": count},
    }
    return [overall, *(_evidence(action) for action in actions)]


def _evidence(action: Mapping[str, Any]) -> Json:
    get = action.get
    operation, path = get("api_operation"), get("url_path")
    return {
        "name": "workertrail.action",
        "uid": _id(get("action_uid")),
        "actor": _actor(None, get("principal")),
        "api": {"operation": _id(operation), "service": {"name": _id(get("api_service"))}} if operation else None,
        "src_endpoint": _endpoint(None, get("src_ip"), None),
        "dst_endpoint": _endpoint(get("dst_host"), get("dst_ip"), get("dst_port")),
        "url": {"path": bounded(str(path).partition("?")[0], 200)} if path else None,
        "resources": [{"uid": bounded(str(get("resource_uid")), 300)}] if get("resource_uid") else None,
        "data": {
            "time": _time_text(get("time")),
            "status": _id(get("status")),
            "http_method": _id(get("http_method")),
            "credential_uid": _id(get("credential_uid")),
            "bytes_out": get("bytes_out") if isinstance(get("bytes_out"), int) else None,
        },
    }


def _time_text(value: Any) -> str | None:
    """A frozen action's time, which is JSON text by now, as RFC 3339."""
    try:
        return rfc3339(
            value if isinstance(value, datetime) else datetime.fromisoformat(str(value)).replace(tzinfo=None)
        )
    except ValueError:
        return None


def _endpoint(host: Any, address: Any, port: Any) -> Json | None:
    """An endpoint; what is no host name or address by OCSF's rules goes into its free-text `name`."""
    if not host and not address:
        return None
    is_host = isinstance(host, str) and _HOST.fullmatch(host) is not None
    is_address = isinstance(address, str) and _is_ip(address)
    return {
        "hostname": _id(host) if is_host else None,
        "ip": address if is_address else None,
        "name": " ".join(
            part for part in (None if is_host else _id(host), None if is_address else _id(address)) if part
        ),
        "port": port if isinstance(port, int) and 0 <= port <= 65535 else None,
    }


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _actor(worker: str | None, principal: Any) -> Json | None:
    if not worker and not principal:
        return None
    return {
        "app_name": _name(worker),
        "app_uid": _worker_uid(worker),
        "user": {"uid": _name(principal)} if principal else None,
    }


def _worker_uid(worker: str | None) -> str | None:
    return _name(identifiers.uid("worker:id", worker)) if worker else None


def _ai_agent(finding: Mapping[str, Any]) -> Json | None:
    """OCSF's word for a worker: its charter is the manifest in force, its instance the chain (one run)."""
    if not finding["worker"]:
        return None
    sha = _id(finding["manifest_sha"])
    charter = {"name": "manifest", "type_id": 1, "hashes": [{"algorithm_id": 3, "algorithm": "SHA-256", "value": sha}]}
    return {
        "uid": _worker_uid(finding["worker"]),
        "name": _name(finding["worker"]),
        "instance_uid": _id(finding["chain_id"]),
        "charter": charter if sha else None,
    }


def _delegation(attribution: Json) -> Json | None:
    if attribution["delegator"] is None:
        return None
    return {"delegator": attribution["delegator"], "strength": attribution["delegator_strength"]}


def _chain(chain: Mapping[str, Any] | None, limits: Limits) -> Json | None:
    if chain is None:
        return None
    return {
        "root_uid": _name(chain.get("root_uid")),
        "started_at": rfc3339(chain.get("started_at")),
        "ended_at": rfc3339(chain.get("ended_at")),
        "systems": [_id(system) for system in (chain.get("systems") or ())[: limits.systems]],
        **{key: chain.get(key) for key in ("actions", "hops", "bytes_out")},
    }


def _hop(hop: Mapping[str, Any]) -> Json:
    """A hop of the path, each of its texts bounded."""
    return {key: bounded(str(value), 200) for key, value in hop.items() if value is not None}


def _name(value: Any) -> str | None:
    return bounded(value, _NAME) if isinstance(value, str) and value else None


def _id(value: Any) -> str | None:
    return None if value is None or value == "" else bounded(str(value), _ID)


def _whole(value: Any) -> int:
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None


def _without_nulls(value: Any) -> Any:
    """OCSF leaves unknown attributes out; so are objects and lists that hold nothing."""
    if isinstance(value, dict):
        kept = {key: _without_nulls(each) for key, each in value.items()}
        return {key: each for key, each in kept.items() if each is not None and each not in ({}, [], "")}
    if isinstance(value, list):
        return [_without_nulls(each) for each in value]
    return value
