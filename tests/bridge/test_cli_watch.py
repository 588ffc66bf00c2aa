"""`causeway watch`: the view follows the stream, the screen shows it."""

import io

import pytest
from rich.console import Console

from bridge.cli_client import CommandError
from bridge.cli_watch import View
from bridge.cli_watch_screen import screen


def shown(view: View) -> str:
    out = io.StringIO()
    Console(file=out, width=150).print(screen(view))
    return out.getvalue()


def test_levels_change_the_book_and_trades_and_stages_are_listed() -> None:
    view = View("T")
    view.take({"type": "book", "bids": [[4_700, 5_000_000]], "asks": [[5_200, 2_000_000]]})
    gone = {"side": "ask", "price_e4": 5_200, "size_micros": 0}
    better = {"side": "bid", "price_e4": 4_800, "size_micros": 1_500_000}
    view.take({"type": "levels", "levels": [gone, better]})
    view.take(
        {
            "type": "trade",
            "trade": "trade:3",
            "size_micros": 2_000_000,
            "price_e4": 5_200,
            "taker_side": "bid",
            "on_chain": True,
        }
    )
    stage = {"trade": "trade:3", "operation": 7, "stage": "MINED", "block_number": 9, "tx_hash": "0x" + "ab" * 32}
    view.take({"type": "settlement", **stage})
    view.status = {"seq": 41, "state_hash": "f" * 64, "final_block": 8, "operations": {"confirmed": 7, "open": 1}}
    view.reserves = {"equal": True, "block_number": 8}
    assert (view.bids, view.asks) == ({4_700: 5_000_000, 4_800: 1_500_000}, {})
    text = shown(view)
    for words in (
        "0.4800",
        "1.50",
        "trade:3  2.00 at 0.5200",
        "operation 7  MINED  block 9",
        "equal in block 8",
        "7 final, 1 open",
    ):
        assert words in text
    assert "0.5200        2.00" not in text


def test_a_difference_of_the_reserves_is_shown() -> None:
    view = View("T", reserves={"equal": False, "block_number": 8})
    assert "differ" in shown(view)


def test_a_refusal_of_the_stream_ends_it() -> None:
    with pytest.raises(CommandError, match="no market"):
        View("T").take({"type": "error", "code": "UNKNOWN_MARKET", "message": "there is no market T"})
