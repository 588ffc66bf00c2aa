"""The garbage collector of a venue's process: what lives when the venue is ready lives as long as the venue."""

import gc

YOUNG, OLDER, OLDEST = 10_000, 20, 20
"""New objects between two looks at the young ones; looks at the young between two at the older; those between two at all."""


def quiet() -> None:
    """Let the collector forget what lives now and look less often: nothing here makes cycles by the thousand.

    At CPython's own pace it was a twentieth of what an order cost (docs/performance.md).
    """
    gc.freeze()
    gc.set_threshold(YOUNG, OLDER, OLDEST)
