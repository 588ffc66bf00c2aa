"""A seeded random walk through the whole command set, dense enough that every rule of failure is reached often."""

import random
from collections import Counter

from offchain_book.engine import commands as c
from offchain_book.engine.events import Event, Matched, OperationFailed, OrderCancelled, Rejected
from offchain_book.engine.operations import FillOperation, Outcome, VaultAction, VaultActionKind
from offchain_book.engine.order import SelfTrade, TimeInForce
from tests.builders import ALICE, BOB, CONTRACT, DOLLAR, FEE_TICKER, TICKER, WALT, WENDY, Venue, market, open_venue

CUSTODIAL, WALLETS = (ALICE, BOB), (WENDY, WALT)


class Walk:
    """One venue under one seed. `step` does one random thing; `seen` counts what happened."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.venue: Venue = open_venue(60 * DOLLAR)
        self.seen: Counter[str] = Counter()
        self.nonce = 0
        for wallet in WALLETS:
            for ticker in (TICKER, FEE_TICKER):
                for outcome in Outcome:
                    self.venue.deposit(wallet, 20 * CONTRACT, ticker, outcome)

    def step(self) -> None:
        """Do one random thing."""
        act = self.random.choices(
            (self.order, self.wallet_order, self.cancel, self.land, self.skip, self.expire, self.move, self.action,
             self.token_in, self.halt, self.link, self.season),
            (30, 40, 4, 6, 3, 1, 6, 5, 2, 1, 0.3, 0.5),
        )[0]  # fmt: skip
        act()

    def count(self, events: list[Event]) -> None:
        """Count events by what they say."""
        for event in events:
            name = type(event).__name__
            if isinstance(event, Rejected):
                name += f":{event.code.name}"
            elif isinstance(event, OperationFailed):
                name += f":{event.reason.split(':')[0]}:{event.resolution}"
            elif isinstance(event, OrderCancelled):
                name += f":{event.reason}"
            elif isinstance(event, Matched):
                name += ":" + "+".join(kind.name for kind, _ in event.pieces)
            self.seen[name] += 1

    def _size(self) -> float:
        return self.random.choice((1, 2, 5, 0.01, 0.37, 12.5))

    def _price(self) -> int:
        return self.random.choice((4_000, 4_500, 5_000, 5_500, 6_000, 100, 9_900))

    def order(self) -> None:
        """A custodial order."""
        pick = self.random.choice
        self.count(
            self.venue.place(
                pick(CUSTODIAL), pick(("bid", "ask")), self._price(), self._size(), pick((TICKER, FEE_TICKER)),
                time_in_force=pick((TimeInForce.GTC, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK)),
                self_trade=pick(list(SelfTrade)), expires_ms=pick((0, 0, self.venue.now_ms + 5_000)),
            )
        )  # fmt: skip

    def wallet_order(self) -> None:
        """A wallet's order, sometimes by amount."""
        pick = self.random.choice
        verb = pick(("buy", "buy", "sell"))
        more = {}
        if verb == "buy" and self.random.random() < 0.15:
            more = {"budget_micros": 2_345_678, "time_in_force": pick((TimeInForce.IOC, TimeInForce.FOK))}
        self.count(
            self.venue.place(
                pick(WALLETS), f"{verb} {pick(('yes', 'no'))}", self._price(), self._size(), pick((TICKER, FEE_TICKER)),
                **more,
            )
        )  # fmt: skip
        self.venue.now_ms += self.random.choice((0, 0, 700))

    def cancel(self) -> None:
        """One cancel, or all of an account's."""
        name = self.random.choice(CUSTODIAL + WALLETS)
        orders = list(self.venue.state.accounts[name].open_orders)
        if orders and self.random.random() < 0.8:
            self.count(self.venue.do(c.CancelOrder(name, self.random.choice(orders))))
        else:
            self.count(self.venue.do(c.CancelOrders(name)))

    def land(self) -> None:
        """The chain executes everything that can be executed."""
        state = self.venue.state
        while state.operations:
            self._cut_all()
            number = next(iter(state.batches))
            batch = state.batches[number]
            skips = [n for n in range(batch.first, batch.first + batch.count) if state.operations[n].failed]
            self.count(self.venue.do(c.ConfirmBatch(number, "0x", 1, "0x", tuple((n, 1) for n in skips))))

    def _cut_all(self) -> None:
        state = self.venue.state
        if state.uncut < state.next_operation:
            count = state.next_operation - state.uncut
            self.venue.do(c.CutBatch(state.next_batch, state.uncut, count, "0x"))

    def skip(self) -> None:
        """The chain skips one wallet fill that should have executed."""
        state = self.venue.state
        fills = [
            n
            for n, entry in state.operations.items()
            if isinstance(entry.operation, FillOperation) and not entry.failed and n >= state.uncut
        ]
        if state.batches or not fills:
            return self.land()
        victim = self.random.choice(fills)
        number, first = state.next_batch, state.uncut
        self.venue.do(c.CutBatch(number, first, victim - first + 1, "0x"))
        skips = [n for n in range(first, victim) if state.operations[n].failed] + [victim]
        self.count(self.venue.do(c.ConfirmBatch(number, "0x", 1, "0x", tuple((n, 9) for n in skips))))
        return None

    def expire(self) -> None:
        """Finality comes back after every open deadline has passed."""
        state = self.venue.state
        if state.operations:
            self.venue.now_ms += 61_000
            first = next(iter(state.operations))
            late = self.venue.now_ms // 1000 + 100
            self.count(self.venue.do(c.ExpireOperations(first, state.next_operation - first, 9, late)))

    def move(self) -> None:
        """A withdrawal or a tokenization."""
        self.nonce += 1
        pick = self.random.choice
        name = pick(CUSTODIAL)
        if self.random.random() < 0.3:
            self.count(self.venue.do(c.Withdraw(f"w{self.nonce}", name, pick((1, 3, 50)) * DOLLAR, WALT)))
            return
        amount, ticker = round(self._size() * CONTRACT), pick((TICKER, FEE_TICKER))
        self.count(self.venue.do(c.Withdraw(f"w{self.nonce}", name, amount, WALT, ticker, pick(list(Outcome)))))

    def action(self) -> None:
        """A vault action."""
        self.nonce += 1
        pick = self.random.choice
        kind = pick(list(VaultActionKind))
        listed = self.venue.state.markets[TICKER]
        number = str(int(listed.condition_id, 16))
        if kind in (VaultActionKind.WITHDRAW, VaultActionKind.REDEEM):
            number = pick(("0", listed.yes_token_id))
        amount = pick((0, 1)) if kind is VaultActionKind.SET_DELIVERY else round(self._size() * CONTRACT)
        wallet = pick(WALLETS)
        action = VaultAction(wallet, kind, number, amount, wallet, str(self.nonce), 2**40, "0x")
        self.count(self.venue.do(c.SubmitAction(f"a{self.nonce}", action)))

    def token_in(self) -> None:
        """Tokens or cash arrive from outside."""
        pick = self.random.choice
        name = pick((*CUSTODIAL, *WALLETS, "nobody"))
        if self.random.random() < 0.5:
            self.venue.deposit(name, 5 * DOLLAR)
        else:
            amount = round(self._size() * CONTRACT) + pick((0, 0, 1, 3_333))
            self.venue.deposit(name, amount, pick((TICKER, FEE_TICKER)), pick(list(Outcome)))

    def halt(self) -> None:
        """Finality stops for a while, or comes back."""
        self.count(self.venue.do(c.ObserveChain(1, 1, self.random.random() < 0.3)))

    def link(self) -> None:
        """An owner links both accounts."""
        pick = self.random.choice
        self.count(self.venue.do(c.LinkAccount(pick(CUSTODIAL), pick(WALLETS), self.random.random() < 0.3)))

    def season(self) -> None:
        """A whole market's life, with a scalar end."""
        venue, ticker = self.venue, f"OLD-{self.venue.state.seq}"
        venue.do(market(ticker, "RAIN"))
        for name, side, price, size in (
            (ALICE, "bid", 6_000, 2.57),
            (WENDY, "buy no", 4_000, 1.5),
            (BOB, "ask", 6_000, 1),
            (WALT, "buy yes", 7_000, 3),
        ):
            self.count(venue.place(name, side, price, size, ticker))
        payout = self.random.choice((0, 1_000_000, 333_333))
        self.count(venue.do(c.ResolveMarket(ticker, payout)))
        self.land()
        self.count(venue.do(c.ConfirmResolution(ticker, payout, "0x", 1)))
        if self.random.random() < 0.5:  # tokens of a finished market still arrive
            name = self.random.choice((*CUSTODIAL, *WALLETS))
            venue.deposit(name, round(self._size() * CONTRACT), ticker, self.random.choice(list(Outcome)))
        listed = venue.state.markets[ticker]
        for number, held in ((listed.yes_token_id, CONTRACT), (listed.no_token_id, CONTRACT)):
            self.nonce += 1
            action = VaultAction(WALT, VaultActionKind.REDEEM, number, held, WALT, str(self.nonce), 2**40, "0x")
            self.count(venue.do(c.SubmitAction(f"a{self.nonce}", action)))
