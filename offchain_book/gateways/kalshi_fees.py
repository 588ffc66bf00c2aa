"""Announced and past changes of fees, of series and of single events, in Kalshi's dialect."""

from decimal import Decimal

from offchain_book.engine.market import FeeChange
from offchain_book.gateways.kalshi_call import Call, Json, newest_first, next_cursor
from offchain_book.gateways.kalshi_units import price_text, time_text
from offchain_book.gateways.kalshi_views import fee_multiplier
from offchain_book.sequencer import Sequencer


class Fees:
    """Handlers of the fee routes."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._state = sequencer.state

    async def series_changes(self, call: Call) -> Json:
        """List fee changes of series that are still to come, with `show_historical` all of them."""
        ticker, historical = call.text("series_ticker"), call.flag("show_historical") or False
        return {
            "series_fee_change_arr": [
                {
                    "id": change.change_id,
                    "series_ticker": change.series_ticker,
                    "fee_type": change.fee_type,
                    "fee_multiplier": fee_multiplier(change),
                    **_rates(change),
                }
                for change in self._state.fee_changes.values()
                if change.series_ticker and (not ticker or change.series_ticker == ticker)
                if historical or not change.made
            ]
        }

    async def event_changes(self, call: Call) -> Json:
        """List fee changes of single events, newest first; nulls mean that the event follows its series again."""
        ticker = call.text("event_ticker")
        limit, before = call.limit(1), call.cursor("fees")
        changes = list(self._state.fee_changes.values())
        found, position = newest_first(
            changes, lambda change: bool(change.event_ticker) and ticker in ("", change.event_ticker), limit, before
        )
        rows = [self._event_change(change) for change in found]
        return {"event_fee_changes": rows, "cursor": next_cursor("fees", position)}

    def _event_change(self, change: FeeChange) -> Json:
        multiplier: Decimal | None = fee_multiplier(change) if change.fee_type else None
        return {
            "id": change.change_id,
            "event_ticker": change.event_ticker,
            "series_ticker": self._state.events[change.event_ticker].series_ticker,
            "fee_type_override": change.fee_type or None,
            "fee_multiplier_override": multiplier,
            **_rates(change),
        }


def _rates(change: FeeChange) -> Json:
    return {
        "taker_fee_rate": price_text(change.taker_rate_e4),
        "maker_fee_rate": price_text(change.maker_rate_e4),
        "scheduled_ts": time_text(change.at_ms),
    }
