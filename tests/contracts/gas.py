"""Gas of settlement from real receipts, on Polymarket's own setting, beside their figures, the floor and our targets.

Every wallet holds cash and the token, free and in the vault, before and after; distinct makers; orders filled once and
fully; zero fees; 50 contracts a fill. `gasUsed` includes 21,000 and calldata. The chain's clock counts blocks and keys and
salts are fixed, so every figure is the same on every run; other salts and signatures would move it by about 50.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from offchain_book.engine.operations import (
    FillOperation,
    MatchKind,
    Operation,
    OrderScheme,
    Outcome,
    PoolAction,
    SignedOrder,
    TokenSide,
    VaultActionKind,
)
from tests.contracts.anvil import ROOT, running_anvil
from tests.contracts.stage import CONTRACT, DOLLAR, Person, Stage, compile_stage, person

BUY, SELL = TokenSide.BUY, TokenSide.SELL
YES, NO = Outcome.YES, Outcome.NO
SIZE = 50 * CONTRACT
PRICE_E4 = 5_300
SIZES = (1, 5, 10, 20)
"""Distinct makers of one taker order, or operations of one batch."""
GENESIS_S = 1_800_000_000
TAG_EPOCH_MS = 1 << 20


class Orders(StrEnum):
    """What the fill state of an order costs: a slot of its own, a word that is new, or a word that is in use."""

    V2 = "V2, tag word new"
    V2_USED = "V2, tag word used"
    V1 = "V1"
    NATIVE = "native, lane word new"
    NATIVE_USED = "native, lane used"


SCHEMES = {
    Orders.V2: OrderScheme.POLYMARKET_V2,
    Orders.V2_USED: OrderScheme.POLYMARKET_V2,
    Orders.V1: OrderScheme.POLYMARKET_V1,
    Orders.NATIVE: OrderScheme.NATIVE,
    Orders.NATIVE_USED: OrderScheme.NATIVE,
}

# Schedule floors (slots, precompile, calldata, event; no computation) of the first pair and of each further maker:
# reference measurements of a prototype. V1 was not computed there.
FLOORS = {
    Orders.V2: (105_200, 39_050),
    Orders.V2_USED: (71_000, 22_000),
    Orders.NATIVE_USED: (71_000, 21_900),
}
CUSTODIAL_FLOORS = {Orders.V2: (76_400, 39_050), Orders.V2_USED: (59_300, 22_000), Orders.NATIVE_USED: (59_300, 21_900)}
CONDITION_FLOOR = 5_000
"""MINT and MERGE also move the condition's collateral, once a transaction."""

# Polymarket on the same work: receipts of their contracts at 1, 5, 10 and 20 makers, V2 unless the orders are V1. MINT with
# direct CTF and MERGE in the production configuration (pUSD and adapter), which was the only one measured for it.
THEIRS = {
    (MatchKind.COMPLEMENTARY, OrderScheme.POLYMARKET_V2): (188_544, 432_027, 736_479, 1_345_725),
    (MatchKind.MINT, OrderScheme.POLYMARKET_V2): (277_365, 536_373, 860_393, 1_509_594),
    (MatchKind.MERGE, OrderScheme.POLYMARKET_V2): (407_237, 626_586, 947_881, 1_591_704),
    (MatchKind.COMPLEMENTARY, OrderScheme.POLYMARKET_V1): (178_134, 447_865, 785_157, 1_460_075),
    (MatchKind.MINT, OrderScheme.POLYMARKET_V1): (253_109, 763_560, 1_401_745, 2_678_573),
    (MatchKind.MERGE, OrderScheme.POLYMARKET_V1): (246_391, 736_583, 1_350_630, 2_579_146),
}


@dataclass(frozen=True)
class Line:
    """One kind of work at every batch size; `theirs` and `floor` are None where there is no such thing."""

    name: str
    gas: dict[int, int]
    theirs: dict[int, int] | None = None
    floor: dict[int, int] | None = None

    @property
    def further(self) -> int:
        """Gas of each further maker or operation, from 10 to 20."""
        return (self.gas[20] - self.gas[10]) // 10


@dataclass(frozen=True)
class Target:
    """One promise of the design."""

    name: str
    gas: int
    target: int
    floor: int
    theirs: int | None


def measure(root: Path = ROOT) -> list[Line]:
    """Deploy on a private chain, settle every kind of fill and of operation, and return what each batch cost."""
    artifacts = compile_stage(root, mocks=False)
    with running_anvil(root, genesis_s=GENESIS_S) as node:
        stage = Stage(node, artifacts)
        makers = [person(f"maker {i}") for i in range(max(SIZES))]
        taker = person("taker")
        for who in (taker, *makers):
            stage.fund(who, cash=100_000 * DOLLAR, sets=100_000 * CONTRACT, free_sets=CONTRACT)
        stage.fund_pool(cash=200_000 * DOLLAR, sets=200_000 * CONTRACT)
        bench = _Bench(stage, taker, makers)
        bench.batch(MatchKind.COMPLEMENTARY, Orders.V2, 1, custodial=False)  # the stream's counters are in use from here on
        lines = [
            bench.line(kind, orders, custodial) for custodial in (False, True) for kind in MatchKind for orders in Orders
        ]
        return lines + _operations(stage, makers[0])


def targets(lines: Sequence[Line]) -> list[Target]:
    """Return the design's rows from what was measured."""
    found = {line.name: line for line in lines}

    def row(name: str, line: str, target: int, *, further: bool = False, theirs: int | None = None) -> Target:
        of = found[line]
        assert of.floor is not None
        floor = of.floor[20] - of.floor[10]
        return Target(name, of.further if further else of.gas[1], target, floor // 10 if further else of.floor[1], theirs)

    v2, used, native = (f"COMPLEMENTARY, {orders}" for orders in (Orders.V2, Orders.V2_USED, Orders.NATIVE_USED))
    return [
        row("COMPLEMENTARY, first pair", v2, 115_000, theirs=188_544),
        row("each further V2 maker", v2, 43_500, further=True, theirs=60_925),
        row("the same, tag word used", used, 26_500, further=True, theirs=60_925),
        row("native maker, lane used", native, 26_000, further=True),
        row("MINT, first pair", f"MINT, {Orders.V2}", 120_000, theirs=277_365),
        row("MERGE, first pair", f"MERGE, {Orders.V2}", 120_000, theirs=407_237),
        row("custodial taker, one V2 maker", f"custodial COMPLEMENTARY, {Orders.V2}", 84_000),
    ]


def table(rows: Sequence[Target]) -> str:
    """Return the design's rows as a table for people."""
    lines = [f"{'settlement gas':32} {'Polymarket V2':>13} {'floor':>8} {'target':>8} {'ours':>8}"]
    for row in rows:
        theirs = f"{row.theirs:,}" if row.theirs else "-"
        mark = "" if row.gas <= row.target else "  above target"
        lines.append(f"{row.name:32} {theirs:>13} {row.floor:>8,} {row.target:>8,} {row.gas:>8,}{mark}")
    return "\n".join(lines)


class _Bench:
    """Batches of one taker order against n makers, with fill state as new or as used as asked for."""

    def __init__(self, stage: Stage, taker: Person, makers: Sequence[Person]) -> None:
        self.stage = stage
        self.taker = taker
        self.makers = makers
        self.epoch = 0
        self.nonce = 0

    def line(self, kind: MatchKind, orders: Orders, custodial: bool) -> Line:
        """Measure one kind of work at every size."""
        gas = {size: self.batch(kind, orders, size, custodial=custodial) for size in SIZES}
        theirs = None if custodial else THEIRS.get((kind, SCHEMES[orders]))
        floors = (CUSTODIAL_FLOORS if custodial else FLOORS).get(orders)
        floor = None
        if floors is not None:
            first, further = floors
            first += CONDITION_FLOOR if kind else 0
            floor = {size: first + (size - 1) * further for size in SIZES}
        name = f"{'custodial ' if custodial else ''}{kind.name}, {orders}"
        return Line(name, gas, dict(zip(SIZES, theirs, strict=True)) if theirs else None, floor)

    def batch(self, kind: MatchKind, orders: Orders, size: int, *, custodial: bool) -> int:
        """Settle one taker against `size` makers; a used word is used by a batch of its own before."""
        if orders in (Orders.V2, Orders.NATIVE):
            self.epoch += 1
            self.nonce = (self.nonce // 4 + 1) * 4
        else:
            self._turn(kind, orders, size, custodial, fresh=True)
            self.nonce += 1
        return self._turn(kind, orders, size, custodial, fresh=False)

    def _turn(self, kind: MatchKind, orders: Orders, size: int, custodial: bool, *, fresh: bool) -> int:
        if fresh:
            self.epoch += 1
            self.nonce = (self.nonce // 4 + 1) * 4
        stage, scheme = self.stage, SCHEMES[orders]
        side = SELL if kind is MatchKind.MERGE else BUY
        makers_side = side if kind else SELL
        outcome, price = (NO, 10_000 - PRICE_E4) if kind else (YES, PRICE_E4)
        if custodial:
            taker = stage.pool_leg(side, YES)
        else:
            taker = stage.leg(self._order(self.taker, side, YES, PRICE_E4, SIZE * size, scheme))
        legs = [stage.leg(self._order(who, makers_side, outcome, price, SIZE, scheme)) for who in self.makers[:size]]
        return _gas(stage, stage.fills(*((taker, leg, PRICE_E4, SIZE) for leg in legs)))

    def _order(
        self, who: Person, side: TokenSide, outcome: Outcome, price: int, size: int, scheme: OrderScheme
    ) -> SignedOrder:
        if scheme is OrderScheme.POLYMARKET_V2:
            stamp = GENESIS_S * 1000 + self.epoch * TAG_EPOCH_MS
            return self.stage.order(who, side, outcome, price, size, timestamp_ms=stamp)
        nonce = self.nonce if scheme is OrderScheme.NATIVE else 0
        return self.stage.order(who, side, outcome, price, size, scheme=scheme, nonce=nonce)


def _operations(stage: Stage, wallet: Person) -> list[Line]:
    """Pool operations and signed vault actions, 1 to 20 in a batch."""
    receiver = person("receiver")
    stage.give(receiver, DOLLAR)
    nonces = itertools.count()
    condition = int(stage.condition, 16)
    pool = {
        "pool splits": (PoolAction.SPLIT, {}),
        "pool merges": (PoolAction.MERGE, {}),
        "pool sends cash": (PoolAction.SEND_CASH, {"to": receiver.address}),
        "pool sends tokens": (PoolAction.SEND_TOKENS, {"to": wallet.address, "outcome": YES}),
    }
    wallets = {
        "wallet withdraws cash": (VaultActionKind.WITHDRAW, 0),
        "wallet withdraws tokens": (VaultActionKind.WITHDRAW, condition + YES),
        "wallet splits": (VaultActionKind.SPLIT, condition),
        "wallet merges": (VaultActionKind.MERGE, condition),
        "wallet takes back cash": (VaultActionKind.TAKE_BACK, 0),
        "wallet takes back tokens": (VaultActionKind.TAKE_BACK, condition + YES),
        "wallet takes back free tokens": (VaultActionKind.TAKE_BACK_FREE, condition + YES),
    }

    def pool_batch(action: PoolAction, fields: dict[str, Any], size: int) -> list[Operation]:
        first = stage.next()
        return [stage.pool_action(action, CONTRACT, number=first + i, **fields) for i in range(size)]

    def wallet_batch(kind: VaultActionKind, id_: int, size: int) -> list[Operation]:
        first = stage.next()
        return [
            stage.vault_action(wallet, kind, id=id_, amount=CONTRACT, nonce=next(nonces), number=first + i)
            for i in range(size)
        ]

    lines = [
        Line(name, {size: _landed(stage, pool_batch(action, fields, size)) for size in SIZES})
        for name, (action, fields) in pool.items()
    ]
    return lines + [
        Line(name, {size: _landed(stage, wallet_batch(kind, id_, size)) for size in SIZES})
        for name, (kind, id_) in wallets.items()
    ]


def _landed(stage: Stage, operations: Sequence[Operation]) -> int:
    settled = stage.settle(*operations)
    if settled.skips:
        raise AssertionError(f"operations were skipped: {settled.reasons}")
    return settled.gas


def _gas(stage: Stage, fills: Sequence[FillOperation]) -> int:
    settled = stage.settle(*fills)
    if len(settled.fills) != len(fills):
        raise AssertionError(f"fills were skipped: {settled.reasons}")
    return settled.gas


if __name__ == "__main__":
    measured = measure()
    for line in measured:
        print(f"{line.name:44}", *(f"{line.gas[size]:>10,}" for size in SIZES), f"{line.further:>8,}")
    print(table(targets(measured)))
