"""How CPython runs a venue's process: when it collects garbage, and how soon threads hand its lock over."""

import gc
import sys

YOUNG, OLDER, OLDEST = 10_000, 20, 20
"""New objects between two looks at the young ones; looks at the young between two at the older; those between two at all."""
SWITCH_S = 0.0005
"""How long a thread keeps the lock while another waits for it; CPython's own is 5 ms."""


def tune() -> None:
    """Set the process for serving, once all is there that lives as long as the venue.

    The collector forgets what lives now and looks less often: nothing here makes cycles by the thousand, and at CPython's own
    pace it was a twentieth of what an order cost. The threads of signatures and journal get the lock back soon after each call
    that gave it away (docs/performance.md).
    """
    gc.freeze()
    gc.set_threshold(YOUNG, OLDER, OLDEST)
    sys.setswitchinterval(SWITCH_S)
