"""A seeded random walk through the whole command set, dense enough that every rule of failure is reached often."""

import random
from collections import Counter
from collections.abc import Sequence

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine import failures
from offchain_book.engine import policy_commands as pc
from offchain_book.engine.chain_events import OperationFailed
from offchain_book.engine.events import Event, Matched, OrderAmended, OrderCancelled, OrderGroupChanged, Rejected
from offchain_book.engine.market_events import MarketStatusChanged, SessionChanged
from offchain_book.engine.operations import FillOperation, Outcome, VaultAction, VaultActionKind
from offchain_book.engine.order import SelfTrade, TimeInForce
from offchain_book.engine.state import State
from tests.builders import ALICE, BOB, CONTRACT, DOLLAR, FEE_TICKER, TICKER, WALT, WENDY, Venue, market, open_venue
from tests.engine.walk_chain import ChainWalk
from tests.engine.walk_markets import MarketWalk


def impossible(state: State, numbers: range, victims: Sequence[int]) -> list[int]:
    """Return which of the oldest operations the chain would skip: what was given up, what lacks funds, and `victims`."""
    stream = [(entry, failures.vault_deltas(state, entry)) for entry in state.operations.values() if not entry.failed]
    vault = failures.final_vault(state, [deltas for _, deltas in stream])
    skips = [number for number in numbers if state.operations[number].failed]
    for entry, deltas in stream:
        number = entry.operation.number
        if number not in numbers:
            break
        if number in victims or any(delta < 0 and vault[key] + delta < 0 for key, delta in deltas.items()):
            skips.append(number)
            continue
        for key, delta in deltas.items():
            vault[key] += delta
    return sorted(skips)


CUSTODIAL, WALLETS = (ALICE, BOB, f"{ALICE}/1"), (WENDY, WALT)
GROUPS, SESSIONS = ("g1", "g2"), ("", "", "s1", "s2")


class Walk:
    """One venue under one seed. `step` does one random thing; `seen` counts what happened."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.venue: Venue = open_venue(60 * DOLLAR)
        self.seen: Counter[str] = Counter()
        self.nonce = 0
        self.markets = MarketWalk(self.venue, self.random, self.trade, self.land, self.count)
        self.chain = ChainWalk(self.venue, self.random, self.land, self.count)
        self.venue.do(c.OpenSubaccount(ALICE))
        self.venue.do(c.TransferCash(ALICE, "start", 0, 1, 20 * DOLLAR))
        for name in CUSTODIAL:
            self.venue.do(c.CreateOrderGroup(name, "g1", 20 * CONTRACT))
        for wallet in WALLETS:
            for ticker in (TICKER, FEE_TICKER):
                for outcome in Outcome:
                    self.venue.deposit(wallet, 20 * CONTRACT, ticker, outcome)

    def step(self) -> None:
        """Do one random thing."""
        act = self.random.choices(
            (self.order, self.wallet_order, self.cancel, self.land, self.cut, self.skip, self.expire, self.move, self.action,
             self.token_in, self.halt, self.link, self.season, self.decrease, self.amend, self.group, self.dead_man,
             self.transfer, self.netting, self.limit, self.policy,
             self.markets.act, self.chain.act),
            (30, 40, 4, 6, 4, 3, 1, 6, 5, 2, 1, 0.3, 0.5, 5, 10, 4, 2, 2, 1, 1, 8, 4, 10),
        )[0]  # fmt: skip
        act()

    def trade(self) -> None:
        """Do one random thing of a trader's."""
        self.random.choice((self.order, self.order, self.wallet_order, self.cancel, self.decrease, self.amend))()

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
            elif isinstance(event, MarketStatusChanged):
                name += f":{event.status}"
            elif isinstance(event, SessionChanged):
                name += f":{event.session}"
            elif isinstance(event, OrderAmended):
                name += ":in place" if event.kept_place else ":arrives"
            elif isinstance(event, OrderGroupChanged):
                name += f":{event.change}"
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
        account = pick(CUSTODIAL)
        self.count(
            self.venue.place(
                account, pick(("bid", "ask")), self._price(), self._size(), pick((TICKER, FEE_TICKER)),
                time_in_force=pick((TimeInForce.GTC, TimeInForce.GTC, TimeInForce.IOC, TimeInForce.FOK)),
                self_trade=pick(list(SelfTrade)), expires_ms=pick((0, 0, self.venue.now_ms + 5_000)),
                reduce_only=self.random.random() < 0.1, max_cost_micros=pick((0, 0, 0, 1_234_567)),
                client_order_id=pick(("", "", f"c{self.random.randrange(300)}")), session_id=pick(SESSIONS),
                group_id=pick(("", "", "", *GROUPS)), post_only=self.random.random() < 0.1,
            )
        )  # fmt: skip

    def wallet_order(self) -> None:
        """A wallet's order, often signed, sometimes by amount, sometimes for a session or reduce-only."""
        pick = self.random.choice
        wallet, verb, outcome = pick(WALLETS), pick(("buy", "buy", "sell")), pick(list(Outcome))
        price, size, ticker = self._price(), self._size(), pick((TICKER, FEE_TICKER))
        more: dict[str, object] = {"session_id": pick(SESSIONS), "reduce_only": self.random.random() < 0.05}
        if verb == "buy" and self.random.random() < 0.15:
            more |= {"budget_micros": 2_345_678, "time_in_force": pick((TimeInForce.IOC, TimeInForce.FOK))}
            more["to_the_last"] = pick((True, True, False))
        elif self.random.random() < 0.5:
            signed = self.chain.signed(wallet, verb, outcome, price, round(size * CONTRACT), ticker)
            more |= {"signed": signed, "order_id": signed.digest}
        self.count(self.venue.place(wallet, f"{verb} {outcome.name.lower()}", price, size, ticker, **more))
        self.venue.now_ms += self.random.choice((0, 0, 700))

    def cancel(self) -> None:
        """One cancel, or all of an account's."""
        name = self.random.choice(CUSTODIAL + WALLETS)
        orders = list(self.venue.state.accounts[name].open_orders)
        pick = self.random.choice
        if orders and self.random.random() < 0.8:
            self.count(self.venue.do(c.CancelOrder(name, pick(orders))))
        else:
            self.count(self.venue.do(c.CancelOrders(name, pick(("", TICKER)), pick((0, 2)), session_id=pick(SESSIONS))))

    def _open_order(self) -> tuple[str, str]:
        """Return an account and one of its orders; sometimes one that it does not have."""
        name = self.random.choice(CUSTODIAL + WALLETS)
        orders = list(self.venue.state.accounts[name].open_orders)
        return name, self.random.choice(orders) if orders else "o1"

    def decrease(self) -> None:
        """An order shrinks."""
        micros = self.random.choice((0, 10_000, CONTRACT, 50 * CONTRACT, 5))
        by, to = self.random.choice(((micros, None), (None, micros)))
        self.count(self.venue.do(c.DecreaseOrder(*self._open_order(), by, to)))

    def amend(self) -> None:
        """An order changes."""
        pick = self.random.choice
        size = pick((None, None, round(self._size() * CONTRACT)))
        expires = pick((None, None, 0, self.venue.now_ms + 3_000))
        price = pick((None, self._price()))
        client = pick(("", f"c{self.random.randrange(300)}"))
        self.count(self.venue.do(c.AmendOrder(*self._open_order(), price, size, expires, client)))

    def group(self) -> None:
        """Something happens to an order group."""
        pick = self.random.choice
        name, group, limit = pick(CUSTODIAL), pick(GROUPS), pick((1, 5, 20)) * CONTRACT
        kinds = (c.TriggerOrderGroup, c.ResetOrderGroup, c.ResetOrderGroup, c.DeleteOrderGroup)
        if self.random.random() < 0.5:
            self.count(self.venue.do(c.CreateOrderGroup(name, group, limit)))
        elif self.random.random() < 0.4:
            self.count(self.venue.do(c.SetOrderGroupLimit(name, group, limit)))
        else:
            self.count(self.venue.place(name, "bid", 100, 0.01, group_id=group))
            self.count(self.venue.do(pick(kinds)(name, group)))

    def dead_man(self) -> None:
        """A timer is armed or stopped, or a session ends."""
        pick = self.random.choice
        name, session = pick(CUSTODIAL + WALLETS), pick(SESSIONS)
        deadline = self.venue.now_ms + pick((-5, 800, 4_000))
        self.count(
            self.venue.do(
                pick((c.ArmDeadMan(name, deadline, session), c.DisarmDeadMan(name, session), c.EndSession(name, "s1")))
            )
        )

    def transfer(self) -> None:
        """Cash moves between an account and its part."""
        self.nonce += 1
        pick = self.random.choice
        parts = pick(((0, 1), (1, 0), (0, 2), (1, 1)))
        self.count(self.venue.do(c.TransferCash(pick((ALICE, ALICE, BOB)), f"t{self.nonce}", *parts, pick((1, 9)) * DOLLAR)))

    def netting(self) -> None:
        """An account stops netting, or begins again."""
        self.count(self.venue.do(c.SetNetting(self.random.choice(CUSTODIAL), self.random.random() < 0.6)))

    def limit(self) -> None:
        """A limit comes or goes."""
        pick = self.random.choice
        name, most = pick(CUSTODIAL + WALLETS), pick((None,) * 12 + (0, 40 * CONTRACT))
        if self.random.random() < 0.5:
            self.count(self.venue.do(c.SetPositionLimit(name, most, pick(("", TICKER)))))
        else:
            self.count(self.venue.do(c.SetExposureCap(name, most)))

    def land(self) -> None:
        """The chain executes everything that it can."""
        state = self.venue.state
        while state.operations:
            if not state.batches:
                self._cut(state.next_operation - state.uncut)
            self._confirm()

    def cut(self) -> None:
        """Some operations are put into a batch, and are on their way."""
        waiting = self.venue.state.next_operation - self.venue.state.uncut
        if waiting:
            self._cut(self.random.randint(1, waiting))
            batch = next(reversed(self.venue.state.batches.values()))
            if batch.count > 3:
                self.count(self.venue.do(cc.SplitBatch(batch.batch_no, 2, "0x", self.venue.state.next_batch, "0x")))

    def _cut(self, count: int) -> None:
        self.count(self.venue.cut(count))

    def _confirm(self, victims: Sequence[int] = ()) -> None:
        """Confirm the oldest batch as the chain would: void and impossible operations are skipped, and `victims` too."""
        state = self.venue.state
        number = next(iter(state.batches))
        batch = state.batches[number]
        numbers = range(batch.first, batch.first + batch.count)
        skips = impossible(state, numbers, victims)
        self.count(self.venue.do(cc.ConfirmBatch(number, "0x", 1, "0x", tuple((n, 9) for n in skips))))

    def skip(self) -> None:
        """The chain skips a wallet fill that should have executed."""
        state = self.venue.state
        if not state.batches and state.uncut < state.next_operation:
            self._cut(state.next_operation - state.uncut)
        if not state.batches:
            return
        batch = next(iter(state.batches.values()))
        numbers = range(batch.first, batch.first + batch.count)
        fills = [n for n in numbers if isinstance(state.operations[n].operation, FillOperation)]
        self._confirm([self.random.choice(fills)] if fills else [])

    def expire(self) -> None:
        """Finality comes back after every open deadline has passed."""
        state = self.venue.state
        if state.operations:
            self.venue.now_ms += 61_000
            first = next(iter(state.operations))
            late = self.venue.now_ms // 1000 + 100
            self.count(self.venue.do(cc.ExpireOperations(first, state.next_operation - first, 9, late)))

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
        if kind not in (VaultActionKind.SPLIT, VaultActionKind.MERGE):
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
        self.count(self.venue.do(cc.ObserveChain(1, 1, self.random.random() < 0.3)))

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
        self.count(venue.do(cc.ConfirmResolution(ticker, payout, "0x", 1, merges=True)))
        if self.random.random() < 0.5:  # tokens of a finished market still arrive
            name = self.random.choice((*CUSTODIAL, *WALLETS))
            venue.deposit(name, round(self._size() * CONTRACT), ticker, self.random.choice(list(Outcome)))
        listed = venue.state.markets[ticker]
        for number, held in ((listed.yes_token_id, CONTRACT), (listed.no_token_id, CONTRACT)):
            self.nonce += 1
            action = VaultAction(WALT, VaultActionKind.REDEEM, number, held, WALT, str(self.nonce), 2**40, "0x")
            self.count(venue.do(c.SubmitAction(f"a{self.nonce}", action)))

    def policy(self) -> None:
        """A withdrawal policy, an address on or off a list, a consent, a freeze and, at once, its end."""
        pick = self.random.choice
        waiting = list(self.venue.state.waiting_withdrawals) or ["none"]
        roomy = pc.SetWithdrawalPolicy(0, 20_000, 40 * DOLLAR, 70 * DOLLAR, pick((0, 50)) * DOLLAR, 1, (ALICE, BOB))
        commands: tuple[tuple[c.Command, ...], ...] = (
            (roomy,),
            tuple(pc.AllowDestination(name, wallet) for name in (ALICE, BOB) for wallet in WALLETS),
            (pc.RemoveDestination(pick((ALICE, BOB)), pick(WALLETS)),),
            (pc.ApproveWithdrawal(pick(waiting), pick((ALICE, BOB))),),
            (
                *(pc.RemoveDestination(name, WALT) for name in (ALICE, BOB)),
                pc.ApproveWithdrawal(waiting[0], pick((ALICE, BOB))),
            ),
            (pc.RejectWithdrawal(pick(waiting), pick((ALICE, BOB))),),
            (pc.Freeze("a difference", pauses=True), pc.Unfreeze("found")),
            (pc.SuspendAccount(pick(CUSTODIAL + WALLETS), "a question"),),
            (pc.RestoreAccount(pick(CUSTODIAL + WALLETS), "answered"),),
        )
        for command in self.random.choices(commands, (2, 6, 1, 12, 1, 1, 1, 0.3, 3))[0]:
            self.count(self.venue.do(command))
