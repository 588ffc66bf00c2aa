"""What surrounds the markets in Kalshi's dialect: incentive programmes, tags, metadata, and data of the outside world.

Milestones, structured targets and live data describe games, players and weather. A local venue holds none: its lists are
empty and its single items do not exist, which is the truth and what clients can read.
"""

from offchain_book.engine.market import RewardProgram
from offchain_book.gateways.kalshi_call import Call, Json, newest_first, next_cursor
from offchain_book.gateways.kalshi_errors import invalid, missing
from offchain_book.gateways.kalshi_stream_messages import market_id
from offchain_book.gateways.kalshi_units import count_text, time_text
from offchain_book.sequencer import Sequencer

_DAY_MS = 86_400_000
_STATUSES = ("all", "active", "upcoming", "closed", "paid_out")
_TYPES = ("all", "liquidity", "volume", "margin_maker_volume", "margin_taker_volume")
_DESCRIPTION = "resting orders near the middle share the reward, minute by minute"
_MAX_IDS, _MAX_MILESTONES = 2_000, 500


class Discovery:
    """Handlers of these routes."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._sequencer = sequencer
        self._state = sequencer.state

    # --- incentive programmes -----------------------------------------------------------------------------------------

    async def incentives(self, call: Call) -> Json:
        """List liquidity programmes, newest first. Rewards are counted here and not paid out (/rewards of the other dialect)."""
        status, kind = call.choice("status", _STATUSES) or "all", call.choice("type", _TYPES) or "all"
        about, now = call.text("incentive_description"), max(self._state.now_ms, self._sequencer.clock_ms())
        limit, before = call.limit(1, 100, 10_000), call.cursor("incentives")
        found, position = newest_first(
            list(self._state.reward_programs.values()),
            lambda row: (
                kind in ("all", "liquidity") and status in ("all", _status(row, now)) and about in ("", _DESCRIPTION)
            ),
            limit,
            before,
        )
        return {
            "incentive_programs": [self._incentive(row) for row in found],
            "next_cursor": next_cursor("incentives", position),
        }

    def _incentive(self, row: RewardProgram) -> Json:
        return {
            "id": f"liquidity:{row.ticker}",
            "market_id": market_id(self._state.markets[row.ticker].condition_id),
            "market_ticker": row.ticker,
            "incentive_type": "liquidity",
            "incentive_description": _DESCRIPTION,
            "start_date": time_text(row.start_ms),
            "end_date": time_text(row.end_ms),
            "period_reward": row.daily_micros * (row.end_ms - row.start_ms) // (_DAY_MS * 100),
            "paid_out": False,
            "discount_factor_bps": None,
            "target_size_fp": count_text(row.min_size_micros),
            "max_reward_per_account": None,
        }

    # --- tags and metadata --------------------------------------------------------------------------------------------

    async def tags(self, call: Call) -> Json:
        """Return the tags of every category's series."""
        found: dict[str, dict[str, None]] = {}
        for series in self._state.series.values():
            found.setdefault(series.category, {}).update(dict.fromkeys(series.tags))
        return {"tags_by_categories": {category: list(tags) for category, tags in found.items()}}

    async def sports(self, call: Call) -> Json:
        """Return the filters of sports; this venue sorts its series by category and tag only."""
        return {"filters_by_sports": {}, "sport_ordering": []}

    async def metadata(self, call: Call) -> Json:
        """Return an event's pictures and sources; this venue keeps none."""
        event = self._state.events.get(call.path("event_ticker"))
        if event is None:
            raise missing("event", call.path("event_ticker"), "event_not_found")
        return {
            "image_url": "",
            "settlement_sources": [],
            "market_details": [{"market_ticker": ticker, "image_url": "", "color_code": ""} for ticker in event.tickers],
        }

    # --- the outside world --------------------------------------------------------------------------------------------

    async def milestones(self, call: Call) -> Json:
        """List milestones: none."""
        call.limit(1, 100, _MAX_MILESTONES)
        call.cursor("milestones")
        return {"milestones": [], "cursor": ""}

    async def targets(self, call: Call) -> Json:
        """List structured targets: none."""
        call.integer("page_size", 1, _MAX_IDS)
        call.cursor("targets")
        _check_count(call, "ids", _MAX_IDS)
        return {"structured_targets": [], "cursor": ""}

    async def live(self, call: Call) -> Json:
        """Return live data of milestones: none."""
        _check_count(call, "milestone_ids", 100)
        return {"live_datas": []}

    async def absent(self, call: Call) -> Json:
        """Say that there is no such milestone, target or place."""
        ((name, value),) = list(call.request.path_params.items())[-1:]
        what = name.removesuffix("_id").replace("_", " ")
        raise missing(what, str(value), f"{name.removesuffix('_id')}_not_found")


def _check_count(call: Call, name: str, highest: int) -> None:
    count = len(call.repeated(name))
    if count > highest:
        raise invalid(f"{name} may be given {highest} times, not {count}", {"parameter": name})


def _status(row: RewardProgram, now_ms: int) -> str:
    if now_ms < row.start_ms:
        return "upcoming"
    return "active" if now_ms < row.end_ms else "closed"
