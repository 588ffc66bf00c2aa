"""The rarer part of the walk: what the chain says besides batches, commands that come twice, keys and programmes."""

import random
from collections.abc import Callable

from msgspec.structs import replace

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.events import Event
from offchain_book.engine.operations import OrderScheme, Outcome, SignedOrder, TokenSide
from tests.builders import ALICE, BOB, CONTRACT, DOLLAR, FEE_TICKER, TICKER, WALT, WENDY, Venue

ONCE = (
    c.PlaceOrder,
    c.SubmitAction,
    c.TransferCash,
    c.Withdraw,
    cc.ConfirmBatch,
    cc.ConfirmResolution,
    cc.CreditDeposit,
    cc.CutBatch,
    cc.RecordExit,
    cc.RecordRefusedDelivery,
)
"""Commands that take effect at most once, however often they come."""
NONCES = 40
"""Nonces and tags are drawn from so many, so that signed orders meet on one place of the contract's fill state."""


class ChainWalk:
    """Acts on a venue; `land` lets the chain catch up."""

    def __init__(
        self, venue: Venue, chance: random.Random, land: Callable[[], None], count: Callable[[list[Event]], None]
    ) -> None:
        self.venue, self.random, self.land, self.count = venue, chance, land, count
        self.made = 0

    def do(self, command: c.Command) -> None:
        """Do one command and count what came of it."""
        self.count(self.venue.do(command))

    def act(self) -> None:
        """Do one random thing."""
        acts = (self.again, self.exit, self.watermark, self.seen, self.refused, self.desk)
        self.random.choices(acts, (12, 1, 2, 3, 1, 1))[0]()

    def signed(self, wallet: str, verb: str, outcome: Outcome, price_e4: int, size_micros: int, ticker: str) -> SignedOrder:
        """Return an order as a wallet signs it; `price_e4` is its own token's. Some share a nonce or a tag with another."""
        pick, account = self.random.choice, self.venue.state.accounts[wallet]
        cost = size_micros * price_e4 // 10_000
        side = TokenSide.BUY if verb == "buy" else TokenSide.SELL
        scheme = pick(list(OrderScheme))
        tag, rest = 1 + self.random.randrange(NONCES), self.random.getrandbits(235)
        expires_s = pick((0, 0, self.venue.now_ms // 1_000 + 200))
        return SignedOrder(
            scheme=scheme,
            digest=f"0x{tag << 235 | rest:064x}",
            maker=wallet,
            signer=wallet,
            token_id=self.venue.state.markets[ticker].token_id(outcome),
            side=side,
            sell_amount_micros=cost if side is TokenSide.BUY else size_micros,
            buy_amount_micros=size_micros if side is TokenSide.BUY else cost,
            salt=str(rest),
            signature="0x",
            timestamp_ms=self.venue.now_ms if scheme is OrderScheme.POLYMARKET_V2 else 0,
            expiration_s=0 if scheme is OrderScheme.POLYMARKET_V2 else expires_s,
            nonce=0 if scheme is OrderScheme.POLYMARKET_V2 else account.min_nonce + self.random.randrange(-1, NONCES),
            fee_rate_bps=0 if scheme is OrderScheme.POLYMARKET_V2 else pick((700, 700, 700, 100)),
        )

    def again(self) -> None:
        """A command comes a second time, or another with its id or its nonce."""
        kind = self.random.choice(ONCE)
        log = self.venue.log
        some = log[-300:] if self.random.random() < 0.7 else self.random.sample(log, min(100, len(log)))
        late = [entry.command for entry in some if isinstance(entry.command, kind)]
        if not late:
            return
        command = self.random.choice(late)
        if isinstance(command, c.SubmitAction) and self.random.random() < 0.5:
            command = replace(command, action_id=f"again {len(self.venue.log)}")
        elif isinstance(command, c.PlaceOrder) and command.signed is None and self.random.random() < 0.5:
            command = replace(command, price_e4=5_000, size_micros=CONTRACT)
        self.do(command)

    def exit(self) -> None:
        """A wallet leaves with all that it has, and comes back with some."""
        wallet = self.random.choice((WENDY, WALT))
        self.do(cc.ObserveExit(wallet, self.venue.now_ms // 1_000 + 600))
        self.land()
        for asset, balance in list(self.venue.state.accounts[wallet].balances.items()):
            ticker, _, name = asset.rpartition(":")
            outcome = Outcome[name] if ticker else None
            if balance.total and self.random.random() < 0.8:
                self.made += 1
                self.do(cc.RecordExit(f"exit {self.made}", wallet, balance.total, ticker, outcome))
        self.do(cc.ObserveExit(wallet, 0))
        self.venue.deposit(wallet, 60 * DOLLAR)
        for outcome in Outcome:
            self.venue.deposit(wallet, 20 * CONTRACT, self.random.choice((TICKER, FEE_TICKER)), outcome)

    def watermark(self) -> None:
        """A wallet voids what it has signed so far."""
        wallet = self.random.choice((WENDY, WALT))
        lowest = self.venue.state.accounts[wallet].min_nonce
        self.do(
            self.random.choice(
                (
                    cc.ObserveWatermark(wallet, min_nonce=lowest + self.random.randrange(-1, NONCES)),
                    cc.ObserveWatermark(wallet, cancel_before_ms=self.venue.now_ms - self.random.choice((0, 5_000))),
                )
            )
        )

    def seen(self) -> None:
        """A batch's transaction is seen somewhere."""
        for number in self.venue.state.batches:
            stage = self.random.choice((cc.BatchStage.SENT, cc.BatchStage.MINED, cc.BatchStage.RETRYING))
            self.do(cc.ObserveBatch(number, stage, "0x1", 5))
            return

    def refused(self) -> None:
        """Code at a wallet refuses tokens that were sent to it."""
        self.made += 1
        ticker, outcome = self.random.choice((TICKER, FEE_TICKER)), self.random.choice(list(Outcome))
        self.do(
            cc.RecordRefusedDelivery(f"refused {self.made}", self.random.choice((WENDY, WALT)), CONTRACT, ticker, outcome)
        )

    def desk(self) -> None:
        """A key comes or goes, a programme begins or ends, a wallet has read what it was told."""
        pick, now = self.random.choice, self.venue.now_ms
        key = f"key {self.random.randrange(5)}"
        self.do(
            pick(
                (
                    c.RegisterKey(pick((ALICE, BOB)), key, c.KeyKind.KALSHI),
                    c.RevokeKey(pick((ALICE, BOB)), key),
                    c.SetRewardProgram(TICKER, pick((0, 5 * DOLLAR)), CONTRACT, 500, now, now + 300_000),
                    c.DropNotifications(pick((WENDY, WALT))),
                )
            )
        )
