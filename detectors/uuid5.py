"""UUIDv5 (RFC 9562, section 5.5) as a SQL expression, equal to Python's `uuid.uuid5`."""

from __future__ import annotations

import uuid

CHAINS = uuid.uuid5(uuid.NAMESPACE_URL, "workertrail:chain")
FINDINGS = uuid.uuid5(uuid.NAMESPACE_URL, "workertrail:finding")
ALERTS = uuid.uuid5(uuid.NAMESPACE_URL, "workertrail:alert")


def uuid5_sql(namespace: uuid.UUID, name: str) -> str:
    """SQL text of the UUIDv5 of `name` (a SQL text expression) in `namespace`; null for a null name."""
    digest = f"sha1(unhex('{namespace.hex}') || encode({name}))"
    variant = f"substr('89ab', CAST(instr('0123456789abcdef', substr({digest}, 17, 1)) - 1 AS BIGINT) % 4 + 1, 1)"
    return (
        f"(substr({digest}, 1, 8) || '-' || substr({digest}, 9, 4) || '-5' || substr({digest}, 14, 3)"
        f" || '-' || {variant} || substr({digest}, 18, 3) || '-' || substr({digest}, 21, 12))"
    )
