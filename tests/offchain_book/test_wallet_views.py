"""What the read models say of wallets: positions and gains, activity, builders, notifications, earnings; and prices."""

import random

import msgspec
import pytest

from offchain_book import segments
from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.events import ActionAccepted
from offchain_book.engine.exchange import apply, new_state
from offchain_book.engine.names import token_asset
from offchain_book.engine.operations import Outcome, VaultAction, VaultActionKind
from offchain_book.price_history import PriceHistory
from offchain_book.projections import Projections
from offchain_book.wallet_views import MAX_NOTIFICATIONS, NotificationKind
from tests.builders import ALICE, CONTRACT, DOLLAR, TICKER, WALT, WENDY, find, open_venue
from tests.offchain_book.test_projections import Watched

YES, NO = (token_asset(TICKER, outcome) for outcome in Outcome)


@pytest.fixture
def venue() -> Watched:
    return Watched()


def act(venue: Watched, kind: VaultActionKind, number: str, contracts: int, nonce: str) -> None:
    action = VaultAction(WENDY, kind, number, contracts * CONTRACT, WENDY, nonce, 10**10, "0x")
    assert find(venue.do(c.SubmitAction(f"action-{nonce}", action)), ActionAccepted)
    venue.land()


def test_a_position_carries_its_cost_and_a_sale_realizes_the_difference(venue: Watched) -> None:
    venue.place(ALICE, "ask", 4_000, 10)
    venue.place(WENDY, "buy yes", 4_000, 10)
    venue.place(ALICE, "bid", 6_000, 4)
    venue.place(WENDY, "sell yes", 6_000, 4)
    found = venue.projections.wallets.positions[WENDY][YES]
    assert (found.size_micros, found.cost_micros) == (6 * CONTRACT, 2_400_000)
    assert (found.bought_micros, found.bought_cost_micros) == (10 * CONTRACT, 4 * DOLLAR)
    assert found.realized_micros == 800_000
    day = venue.now_ms // 86_400_000
    assert venue.projections.wallets.realized_days[WENDY] == {day: 800_000}
    assert venue.projections.wallets.traded_days[WENDY] == {day: 4 * DOLLAR + 2_400_000}
    assert list(venue.projections.wallets.holders[YES]) == [WENDY]
    assert ALICE not in venue.projections.wallets.positions


def test_a_split_costs_half_a_dollar_each_and_what_leaves_the_vault_takes_its_cost_along(venue: Watched) -> None:
    market = venue.state.markets[TICKER]
    act(venue, VaultActionKind.SPLIT, str(int(market.condition_id, 16)), 10, "1")
    positions = venue.projections.wallets.positions[WENDY]
    assert [positions[asset].cost_micros for asset in (YES, NO)] == [5 * DOLLAR, 5 * DOLLAR]
    act(venue, VaultActionKind.WITHDRAW, market.yes_token_id, 4, "2")
    assert (positions[YES].size_micros, positions[YES].cost_micros, positions[YES].realized_micros) == (
        6 * CONTRACT,
        3 * DOLLAR,
        0,
    )
    act(venue, VaultActionKind.MERGE, str(int(market.condition_id, 16)), 6, "3")
    assert [positions[asset].size_micros for asset in (YES, NO)] == [0, 4 * CONTRACT]
    assert [row.kind for row in venue.projections.wallets.activity[WENDY]] == ["SPLIT", "MERGE"]
    assert YES not in [asset for asset, found in venue.projections.wallets.holders.items() if found]


def test_a_redeemed_loser_realizes_its_whole_cost_as_a_loss(venue: Watched) -> None:
    market = venue.state.markets[TICKER]
    act(venue, VaultActionKind.SPLIT, str(int(market.condition_id, 16)), 2, "1")
    venue.do(c.ResolveMarket(TICKER, 0))
    venue.do(cc.ConfirmResolution(TICKER, 0, "0x1", 1))
    venue.land()
    act(venue, VaultActionKind.REDEEM, market.yes_token_id, 2, "2")
    act(venue, VaultActionKind.REDEEM, market.no_token_id, 2, "3")
    positions = venue.projections.wallets.positions[WENDY]
    assert [positions[asset].realized_micros for asset in (YES, NO)] == [-DOLLAR, DOLLAR]


def test_a_wallet_is_told_what_happened_without_its_doing_and_forgets_what_it_has_read(venue: Watched) -> None:
    venue.place(WENDY, "buy yes", 4_000, 5, order_id="0xfilled")
    venue.place(WENDY, "buy yes", 3_000, 5, order_id="0xown")
    venue.place(WENDY, "buy yes", 2_000, 5, order_id="0xgone")
    venue.place(ALICE, "ask", 4_000, 5)
    venue.do(c.CancelOrder(WENDY, "0xown"))
    venue.do(c.ResolveMarket(TICKER, DOLLAR))
    rows = venue.projections.wallets.notifications[WENDY]
    kinds = NotificationKind
    assert [(row.kind, row.order_id) for row in rows] == [
        (kinds.FILLED, "0xfilled"),
        (kinds.CANCELLED, "0xgone"),
        (kinds.RESOLVED, ""),
    ]
    venue.do(c.DropNotifications(WENDY, (rows[1].number, 99)))
    assert [row.kind for row in rows] == [kinds.FILLED, kinds.RESOLVED]
    venue.do(c.DropNotifications(WENDY))
    assert rows == []
    assert ALICE not in venue.projections.wallets.notifications


def test_only_the_newest_notifications_are_kept(venue: Watched) -> None:
    for _ in range(MAX_NOTIFICATIONS + 1):
        venue.projections.wallets.notify(WENDY, NotificationKind.RESOLVED, 0, TICKER)
    assert [row.number for row in venue.projections.wallets.notifications[WENDY]][:1] == [2]


def test_a_builders_code_finds_the_trades_of_its_orders(venue: Watched) -> None:
    venue.place(ALICE, "ask", 5_000, 9)
    venue.place(WENDY, "buy yes", 5_000, 2, builder="0xb1")
    venue.place(WALT, "buy yes", 5_000, 3)
    assert venue.projections.wallets.by_builder == {"0xb1": [(0, True)]}


def test_everything_about_wallets_survives_storage() -> None:
    """Some of it is stored and some made anew; cut twice on the way and at the end, the whole is the same."""
    chance, venue = random.Random(7), open_venue()
    venue.do(c.SetRewardProgram(TICKER, 1_440 * DOLLAR, CONTRACT, 1_000, 0, 10**15))
    kinds = ((ALICE, "bid"), (ALICE, "ask"), (WENDY, "buy yes"), (WALT, "buy no"), (WENDY, "sell yes"))
    for step in range(120):
        venue.now_ms += chance.choice((1_000, 61_000))
        account, side = chance.choice(kinds)
        if chance.random() < 0.1:
            venue.do(c.CancelOrders(account))
        builder = "0xb1" if account != ALICE and chance.random() < 0.5 else ""
        expires = venue.now_ms + 30_000 if account != ALICE and chance.random() < 0.5 else 0
        venue.place(account, side, chance.choice((4_900, 5_000, 5_100)), 3, builder=builder, expires_ms=expires)
        if step in (50, 90):
            venue.do(c.DropNotifications(WENDY, (1, 2)))
    live, state, parts = Projections(), new_state(60), []
    for entry in venue.log:
        live.observe(state, entry, apply(state, entry))
        if entry.seq in (60, 100, venue.log[-1].seq):
            after = segments.decode(parts[-1]).seq if parts else 0
            parts.append(segments.encode(segments.cut(live, after)))
    again = segments.restore(segments.decode(part) for part in parts)
    whole = segments.restore([segments.cut(again, 0)])
    assert live.wallets.earnings
    assert live.wallets.by_builder
    assert live.wallets.notifications
    for made in (again, whole):
        assert msgspec.json.encode(made.wallets) == msgspec.json.encode(live.wallets)
        assert msgspec.json.encode(made.prices) == msgspec.json.encode(live.prices)


def test_a_price_history_has_one_row_per_minute_and_sums_what_was_traded() -> None:
    history = PriceHistory()
    for at_s, price, cash in ((60, 4_000, 5), (119, 4_100, 6), (300, 5_000, 7)):
        history.add(at_s * 1_000, price, cash)
    assert (history.minutes, history.closes_e4, history.traded_micros) == ([1, 5], [4_100, 5_000], [11, 18])
    assert [history.price_e4(at) for at in (59, 60, 299, 300)] == [0, 4_100, 4_100, 5_000]
    assert [history.traded_since_micros(at) for at in (0, 60, 120, 300, 360)] == [18, 18, 7, 7, 0]
    assert (history.first_s, PriceHistory().first_s, PriceHistory().total_micros) == (60, 0, 0)
