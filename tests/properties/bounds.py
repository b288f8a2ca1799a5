"""How many examples a property is tried on."""

from __future__ import annotations

from hypothesis import HealthCheck, Phase, settings

_LONG = 20


def examples(count: int) -> settings:
    """`count` examples, always the same ones; under `--hypothesis-profile=long` twenty times as many new ones.

    An example may run the pipeline several times, so that none is too slow; a failing one is made smaller
    in a long run alone, since that runs it dozens of times more.
    """
    long = settings.get_current_profile_name() == "long"
    return settings(
        max_examples=count * _LONG if long else count,
        derandomize=not long,
        database=None,
        deadline=None,
        print_blob=True,
        phases=(Phase.explicit, Phase.generate, *((Phase.shrink,) if long else ())),
        suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
    )
