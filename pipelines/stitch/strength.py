"""Strength, in falling order: proven, asserted, inferred, ambiguous, none; as SQL over SQL expressions."""

from __future__ import annotations

ORDER = ("none", "ambiguous", "inferred", "asserted", "proven")
"""Rising; the weakest hop decides."""

PROVEN = ORDER.index("proven")
ASSERTED = ORDER.index("asserted")

CONFIDENCE_ASSERTED = 0.8
CONFIDENCE_SOLE_DECLARER = 0.9
"""What a claim is worth until a model is trained on confirmed cases."""


def rank(strength: str) -> str:
    """The rank (0..4) of a strength."""
    cases = " ".join(f"WHEN '{name}' THEN {place}" for place, name in enumerate(ORDER))
    return f"(CASE {strength} {cases} ELSE 0 END)"


def named(place: str) -> str:
    """The strength of a rank."""
    cases = " ".join(f"WHEN {index} THEN '{name}'" for index, name in enumerate(ORDER))
    return f"(CASE {place} {cases} END)"


def weaker(a: str, b: str) -> str:
    """The weaker of two strengths."""
    return named(f"least({rank(a)}, {rank(b)})")
