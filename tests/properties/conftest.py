"""`--hypothesis-profile=long` tries every property of this folder on twenty times as many worlds, each time others."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("long", derandomize=False)
