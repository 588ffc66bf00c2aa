"""Named price grids. Clients take valid prices from the ranges, people choose by name.

Kalshi's names are its own (`deci` is a tenth of a cent, `edge` is below 10¢ and above 90¢, as its tapered grid has it); what
`banded_centi_cent` stands for is not published, so its bands are ours: ten times finer towards each edge, twice. `ten_cent` and
`quarter_cent` are Polymarket's ticks 0.1 and 0.0025, for which Kalshi has no name.
"""

from collections.abc import Mapping

from offchain_book.engine.market_commands import Ranges
from offchain_book.engine.units import PRICE_SCALE

_EDGE_E4 = 1_000
_STEPS = {"whole": 100, "half": 50, "quint": 20, "deci": 10, "centi": 1}
_CENTER_EDGE = ("whole half", "whole quint", "half half", "half quint", "half deci", "quint quint", "quint deci",
                "centi centi", "deci centi")  # fmt: skip


def _even(step: int) -> Ranges:
    return ((step, PRICE_SCALE - step, step),)


def _edged(center: int, edge: int) -> Ranges:
    high = PRICE_SCALE - _EDGE_E4
    return ((edge, _EDGE_E4, edge), (_EDGE_E4, high, center), (high, PRICE_SCALE - edge, edge))


def _center_edge(name: str) -> Ranges:
    center, edge = (_STEPS[word] for word in name.split())
    return _even(center) if center == edge else _edged(center, edge)


PRICE_STRUCTURES: Mapping[str, Ranges] = {
    "linear_cent": _even(100),
    "deci_cent": _even(10),
    "tapered_deci_cent": _edged(100, 10),
    **{f"center_{name.replace(' ', '_edge_')}_cent": _center_edge(name) for name in _CENTER_EDGE},
    "banded_centi_cent": (
        (1, 100, 1), (100, 1_000, 10), (1_000, 9_000, 100), (9_000, 9_900, 10), (9_900, 9_999, 1)
    ),
    "ten_cent": _even(1_000),
    "quarter_cent": _even(25),
}  # fmt: skip
"""Name -> (first price, last price, step) in ten-thousandths of a dollar."""
