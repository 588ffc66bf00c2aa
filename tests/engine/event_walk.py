"""A seeded walk like `walk.py`, most of it in events with collateral return: advances, results in every order, a small fund."""

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine import market_commands as m
from offchain_book.engine.market import Market
from offchain_book.engine.names import COLLATERAL
from offchain_book.engine.operations import Outcome
from offchain_book.engine.order import SelfTrade, TimeInForce
from tests.builders import CONTRACT, DOLLAR, WALT, exclusive, ordered
from tests.engine.walk import CUSTODIAL, SESSIONS, WALLETS, Walk


class EventWalk(Walk):
    """`Walk` with two events that are replaced when all of their markets are paid."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.tickers: dict[str, list[str]] = {}
        self.made = 0
        self._renew("exclusive")
        self._renew("ordered")
        self.venue.deposit(COLLATERAL, 25 * DOLLAR)
        for name in CUSTODIAL:
            self.venue.do(c.SetCollateralReturn(name, True))

    def step(self) -> None:
        """Do one random thing."""
        if self.random.random() < 0.3:
            super().step()
            return
        act = self.random.choices(
            (self.event_order, self.event_wallet_order, self.leave, self.arrive, self.returns, self.fund, self.result,
             self.confirm, self.cancel, self.amend, self.owner_limit),
            (45, 15, 6, 3, 2, 1.5, 1, 3, 6, 8, 1),
        )[0]  # fmt: skip
        act()

    def _renew(self, kind: str) -> None:
        self.made += 1
        series = self.random.choice(("FREE", "PAID"))
        if kind == "exclusive":
            self.tickers[kind] = exclusive(self.venue, f"CUP{self.made}", 4, series)
        else:
            side = self.random.choice(("greater", "less_or_equal"))
            self.tickers[kind] = ordered(self.venue, f"GDP{self.made}", (2, 1, 3), series, side)

    def _ticker(self) -> str:
        return self.random.choice(self.tickers[self.random.choice(("exclusive", "ordered"))])

    def event_order(self) -> None:
        """A custodial order in an event, more often for what an advance can cover."""
        pick = self.random.choice
        ticker = self._ticker()
        side = "ask" if ticker.startswith("CUP") and self.random.random() < 0.6 else pick(("bid", "ask"))
        self.count(
            self.venue.place(
                pick(CUSTODIAL), side, pick((3_000, 4_000, 5_000, 5_000, 6_000)), self._size(), ticker,
                time_in_force=pick((TimeInForce.GTC, TimeInForce.GTC, TimeInForce.IOC)), self_trade=pick(list(SelfTrade)),
                session_id=pick(SESSIONS), expires_ms=pick((0, 0, self.venue.now_ms + 5_000)),
            )
        )  # fmt: skip

    def event_wallet_order(self) -> None:
        """A wallet on the other side."""
        pick = self.random.choice
        side = f"{pick(('buy', 'buy', 'sell'))} {pick(('yes', 'no'))}"
        self.count(self.venue.place(pick(WALLETS), side, pick((4_000, 5_000, 6_000)), self._size(), self._ticker()))
        self.venue.now_ms += pick((0, 0, 700))

    def leave(self) -> None:
        """Tokens of an event, or all cash that is free, leave an account."""
        self.nonce += 1
        name = self.random.choice(CUSTODIAL)
        if self.random.random() < 0.3:
            free = self.venue.state.accounts[name].cash.withdrawable
            if free:
                self.count(self.venue.do(c.Withdraw(f"w{self.nonce}", name, free, WALT)))
            return
        amount = round(self._size() * CONTRACT)
        outcome = self.random.choice(list(Outcome))
        self.count(self.venue.do(c.Withdraw(f"w{self.nonce}", name, amount, WALT, self._ticker(), outcome)))

    def arrive(self) -> None:
        """Tokens of an event, or cash, arrive in an account."""
        name = self.random.choice(CUSTODIAL)
        if self.random.random() < 0.5:
            self.venue.deposit(name, 8 * DOLLAR)
            return
        amount = round(self._size() * CONTRACT) + self.random.choice((0, 0, 1, 3_333))
        self.venue.deposit(name, amount, self._ticker(), self.random.choice(list(Outcome)))

    def returns(self) -> None:
        """An account changes its mind about collateral return."""
        self.count(self.venue.do(c.SetCollateralReturn(self.random.choice(CUSTODIAL), self.random.random() < 0.7)))

    def fund(self) -> None:
        """The venue pays into its fund, or takes out of it."""
        self.nonce += 1
        if self.random.random() < 0.5:
            self.venue.deposit(COLLATERAL, 3 * DOLLAR)
        else:
            self.count(self.venue.do(c.Withdraw(f"w{self.nonce}", COLLATERAL, 5 * DOLLAR, WALT)))

    def owner_limit(self) -> None:
        """A limit of everything that belongs to one owner comes or goes."""
        pick = self.random.choice
        name, most = pick(CUSTODIAL + WALLETS), pick((None,) * 8 + (30 * CONTRACT,))
        if self.random.random() < 0.5:
            self.count(self.venue.do(c.SetPositionLimit(name, most, "", True)))
        else:
            self.count(self.venue.do(c.SetExposureCap(name, most, True)))

    def result(self) -> None:
        """A market or a whole event is decided; contradictions are refused."""
        pick, kind = self.random.choice, self.random.choice(("exclusive", "ordered"))
        if self.random.random() < 0.2:
            event = self.venue.state.markets[self.tickers[kind][0]].event_ticker
            self.count(self.venue.do(c.ResolveEvent(event, pick((0, 1_500_000, 2_000_000, 9_000_000)))))
            return
        if self.random.random() < 0.15:
            self.count(self.venue.do(m.VoidMarket(pick(self.tickers[kind]), pick((None, None, 600_000)), "a walk")))
            return
        payout = pick((0, 0, 0, DOLLAR, DOLLAR, 333_333, 250_001))
        self.count(self.venue.do(c.ResolveMarket(pick(self.tickers[kind]), payout)))

    def confirm(self) -> None:
        """The chain carries a result, once nothing of the market is on its way."""
        for kind, tickers in list(self.tickers.items()):
            markets = [self.venue.state.markets[ticker] for ticker in tickers]
            due = [one for one in markets if one.yes_payout_micros >= 0 and not one.resolved_on_chain]
            if any(one.open_operations for one in due):
                self.land()
            if due:
                self._confirm_result(self.random.choice(due))
            elif all(one.resolved_on_chain for one in markets):
                self._renew(kind)

    def _confirm_result(self, market: Market) -> None:
        self.count(self.venue.do(cc.ConfirmResolution(market.ticker, market.yes_payout_micros, "0x", 1, merges=True)))
