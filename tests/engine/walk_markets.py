"""The part of the walk that moves markets, hours, modes, ticks and fees about while people trade."""

import random
from collections.abc import Callable

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine import market_commands as m
from offchain_book.engine.events import Event
from tests.builders import ALICE, BOB, FEE_TICKER, TICKER, WALT, WENDY, Venue, market

GRIDS: dict[str, m.Ranges] = {
    "linear_cent": ((100, 9_900, 100),),
    "tapered_deci_cent": ((10, 1_000, 10), (1_000, 9_000, 100), (9_000, 9_990, 10)),
    "deci_cent": ((10, 9_990, 10),),
    "centi_cent": ((1, 9_999, 1),),
}


class MarketWalk:
    """Acts on a venue; `trade` does one random thing of a trader's, `land` lets the chain catch up."""

    def __init__(
        self,
        venue: Venue,
        chance: random.Random,
        trade: Callable[[], None],
        land: Callable[[], None],
        count: Callable[[list[Event]], None],
    ) -> None:
        self.venue, self.random, self.trade, self.land, self.count = venue, chance, trade, land, count

    def do(self, command: c.Command) -> None:
        """Do one command and count what came of it."""
        self.count(self.venue.do(command))

    def act(self) -> None:
        """Do one random thing."""
        self.random.choice((self.pause, self.mode, self.hours, self.refine, self.clock, self.life, self.fees))()

    def _some_trading(self) -> None:
        for _ in range(self.random.randrange(1, 5)):
            self.trade()

    def pause(self) -> None:
        """A market pauses and resumes."""
        ticker = self.random.choice((TICKER, FEE_TICKER))
        self.count(self.venue.place(ALICE, "bid", 100, 1, ticker, cancel_on_pause=True))
        self.do(m.PauseMarket(ticker))
        self._some_trading()
        self.do(m.ResumeMarket(ticker))

    def mode(self) -> None:
        """The whole exchange takes less for half a second."""
        self.count(self.venue.place(BOB, "ask", 9_900, 1, cancel_on_pause=True))
        self.do(m.SetExchangeMode(self.random.choice(list(m.ExchangeMode)[1:]), self.venue.now_ms + 500))
        self._some_trading()
        self.venue.now_ms += self.random.choice((0, 500))
        self.do(m.AdvanceClock())
        self.do(m.SetExchangeMode(m.ExchangeMode.OPEN))

    def hours(self) -> None:
        """Trading hours end, or maintenance begins, and both are over."""
        now = self.venue.now_ms
        window, sessions = ((now + 100, now + 300),), ((0, 1),)
        weeks = (m.Week(now + 200, now + 400, sessions), m.Week(0, now + 200, ((0, 10_080),)))
        self.do(m.SetTradingHours(m.TradingHours(weeks, window[: self.random.randrange(2)])))
        for _ in range(3):
            self._some_trading()
            self.venue.now_ms += 100
            self.do(m.AdvanceClock())
        self.do(m.SetTradingHours(m.TradingHours()))

    def refine(self) -> None:
        """Ticks get finer, or stay when they would not."""
        name = self.random.choice(list(GRIDS))
        self.do(m.RefineTicks(self.random.choice((TICKER, FEE_TICKER)), name, GRIDS[name]))
        for price in (4_510, 4_503):
            self.count(self.venue.place(BOB, "bid", price, 0.5))

    def fees(self) -> None:
        """Fees of a series or of one event change, now or in a moment; perhaps back to the series' own."""
        pick, number = self.random.choice, self.venue.state.seq
        taker, maker = pick(((700, 175), (0, 0), (350, -100), (500, 0), (700, 700)))
        whose = pick(({"series_ticker": "PAID"}, {"event_ticker": "SNOW"}, {"event_ticker": "SNOW"}))
        kind = "" if "event_ticker" in whose and self.random.random() < 0.3 else pick(("quadratic", "flat"))
        at_ms = pick((0, self.venue.now_ms + 200))
        cents = pick((False, maker >= 0))
        self.do(m.SetFees(f"fees-{number}", kind, taker, maker, at_ms=at_ms, whole_cents=cents, **whose))
        self._some_trading()
        self.venue.now_ms += 200
        self._some_trading()

    def clock(self) -> None:
        """Time passes without anybody; perhaps ids are remembered for another time."""
        if self.random.random() < 0.3:
            self.do(m.SetRetention(self.random.choice((0, 700, 4_000, 300_000)), signed=self.random.random() < 0.7))
        self.venue.now_ms += self.random.choice((1, 500, 5_000))
        self.do(m.AdvanceClock())

    def life(self) -> None:
        """A market that opens, trades, closes by the clock, is doubted, and ends one way or another."""
        venue, pick = self.venue, self.random.choice
        now, ticker = venue.now_ms, f"LIFE-{venue.state.seq}"
        expires = pick((0, now + 900))
        venue.do(
            market(
                ticker,
                open_ms=now + 50,
                close_ms=now + 600,
                latest_expiration_ms=expires,
                settlement_timer_s=1,
                can_close_early=pick((True, False)),
            )
        )
        self.count(venue.place(ALICE, "bid", 5_000, 1, ticker))
        venue.now_ms += 50
        for name, side, price in (
            (ALICE, "bid", 6_000),
            (WENDY, "buy no", 4_000),
            (BOB, "ask", 5_500),
            (WALT, "buy yes", 7_000),
        ):
            self.count(venue.place(name, side, price, pick((1, 2.57)), ticker))
        self.do(pick((c.CloseMarket(ticker), m.PauseMarket(ticker), m.VoidMarket(ticker), m.AdvanceClock())))
        venue.now_ms += 600
        self.do(c.ResolveMarket(ticker, pick((0, 1_000_000))))
        while self.random.random() < 0.5:
            self.do(m.DisputeResolution(ticker))
            self.do(pick((m.AmendResolution(ticker, pick((0, 333_333))), m.VoidMarket(ticker))))
        venue.now_ms += 1_000
        self.do(m.AdvanceClock())
        self.land()
        listed = venue.state.markets[ticker]
        if not listed.open_operations:
            self.do(cc.ConfirmResolution(ticker, listed.yes_payout_micros, "0x", 1, merges=True))
