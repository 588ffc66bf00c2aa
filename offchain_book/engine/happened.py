"""What every event is.

A command makes two to dozens of events and each costs a quarter of a named tuple, so they are msgspec structs (data types,
no code of the engine's).
"""

from msgspec import Struct

Details = tuple[tuple[str, int | str], ...]


class Happened(Struct, frozen=True, gc=False, array_like=True):
    """An event. Events refer to plain data only, never in a circle, so the garbage collector need not know."""
