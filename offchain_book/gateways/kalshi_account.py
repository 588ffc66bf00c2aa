"""What Kalshi's dialect tells an account about itself beside its portfolio: limits, costs, volume, deposits."""

from bisect import bisect_left

from offchain_book.engine.units import CASH
from offchain_book.gateways.kalshi_call import Call, Json, newest_first, next_cursor
from offchain_book.gateways.kalshi_rates import COSTS, DEFAULT_COST, Limiter
from offchain_book.gateways.kalshi_units import cents_rounded_down, count_text, time_text
from offchain_book.sequencer import Sequencer
from offchain_book.views import DepositView

_MONTH_MS = 30 * 86_400_000


class Accounts:
    """Handlers of the account routes. `paths` names (method, path) of the operations whose cost is their own."""

    def __init__(self, sequencer: Sequencer, limiter: Limiter) -> None:
        self._sequencer = sequencer
        self._limiter = limiter
        self.paths: dict[str, tuple[str, str]] = {}

    async def limits(self, call: Call) -> Json:
        """Return the usage tier and its token buckets."""
        return self._limiter.view()

    async def costs(self, call: Call) -> Json:
        """Return what requests cost, where it is not the default."""
        rows = [(self.paths[name], cost) for name, cost in COSTS.items() if name in self.paths]
        return {
            "default_cost": DEFAULT_COST,
            "endpoint_costs": [{"method": method, "path": path, "cost": cost} for (method, path), cost in rows],
        }

    async def volume(self, call: Call) -> Json:
        """Return the contracts that the account traded within 30 days. No tier here is earned by volume: no goals."""
        now = max(self._sequencer.state.now_ms, self._sequencer.clock_ms())
        total = 0
        for part in call.parts():
            fills = self._sequencer.projections.fills_by_account.get(part.account_id, [])
            first = bisect_left(fills, now - _MONTH_MS, key=lambda fill: fill.trade.at_ms)
            total += sum(fill.trade.size_micros for fill in fills[first:])
        row = {"computed_ts": now // 1000, "trailing_30d_volume_fp": count_text(total), "goals": []}
        return {"volume_progress": [row]}

    async def deposits(self, call: Call) -> Json:
        """List the account's credited deposits of cash, newest first; they came over the chain."""
        account, limit, before = call.primary(), call.limit(), call.cursor("deposits")
        found, position = newest_first(
            self._sequencer.projections.deposits,
            lambda row: row.account_id == account.account_id and row.asset == CASH,
            limit,
            before,
        )
        return {"deposits": [_deposit(row) for row in found], "cursor": next_cursor("deposits", position)}

    async def data_timestamp(self, call: Call) -> Json:
        """Tell up to when answers about accounts are true: the newest command, because nothing is cached."""
        return {"as_of_time": time_text(self._sequencer.state.now_ms)}


def _deposit(row: DepositView) -> Json:
    return {
        "id": f"deposit:{row.deposit_index}",
        "status": "applied",
        "type": "crypto",
        "amount_cents": cents_rounded_down(row.amount_micros),
        "fee_cents": 0,
        "created_ts": row.at_ms // 1000,
        "finalized_ts": row.at_ms // 1000,
        "transaction_hash": row.tx_hash,
    }
