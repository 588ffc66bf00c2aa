"""Gas of settlement from real receipts, on Polymarket's own setting, beside their figures and our targets.

Every wallet holds cash and the token, free and in the vault, before and after; distinct makers; orders filled once and
fully; zero fees; 50 contracts a fill. `gasUsed` includes 21,000 and calldata. `scripts/bench.py` prints what `measure`
returns.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from offchain_book.engine.operations import FillOperation, OrderScheme, Outcome, TokenSide
from tests.contracts.anvil import ROOT, running_anvil
from tests.contracts.stage import CONTRACT, DOLLAR, Person, Stage, compile_stage, person

BUY, SELL = TokenSide.BUY, TokenSide.SELL
YES, NO = Outcome.YES, Outcome.NO
SIZE = 50 * CONTRACT
FURTHER_MAKERS = 10


@dataclass(frozen=True)
class Row:
    """One line of the table; `theirs` is Polymarket V2 on the same work, None where there is no such thing."""

    name: str
    gas: int
    target: int
    theirs: int | None
    floor: int


def measure(root: Path = ROOT) -> list[Row]:
    """Deploy on a private chain, settle, and return the rows of the gas table."""
    artifacts = compile_stage(root, mocks=False)
    with running_anvil(root) as node:
        stage = Stage(node, artifacts)
        people = [person(f"maker {i}") for i in range(FURTHER_MAKERS + 1)]
        taker = person("taker")
        for who in (taker, *people):
            stage.fund(who, cash=10_000 * DOLLAR, sets=10_000 * CONTRACT, free_sets=CONTRACT)
        stage.fund_pool(cash=1_000 * DOLLAR, sets=1_000 * CONTRACT)
        # The stream's counters are in use from the second operation on; measure a venue that lives.
        _pairs(stage, taker, people[:1], SELL, YES)
        rows = [
            Row("COMPLEMENTARY, first pair", _pairs(stage, taker, people[:1], SELL, YES), 115_000, 188_544, 105_200),
            Row("each further V2 maker", _slope(stage, taker, people, SELL, YES), 43_500, 60_925, 39_050),
            Row("native maker, lane used", _native(stage, taker, people), 26_000, None, 21_900),
            Row("MINT, first pair", _pairs(stage, taker, people[:1], BUY, NO), 120_000, 277_365, 110_200),
            Row("each further MINT maker", _slope(stage, taker, people, BUY, NO), 43_900, 64_920, 39_050),
            Row("MERGE, first pair", _merge(stage, taker, people[0]), 120_000, 407_237, 110_200),
            Row("custodial taker, one V2 maker", _custodial(stage, people[0]), 84_000, None, 76_400),
        ]
    return rows


def table(rows: Sequence[Row]) -> str:
    """Return the rows as a table for people."""
    lines = [f"{'settlement gas':32} {'Polymarket V2':>13} {'floor':>8} {'target':>8} {'ours':>8}"]
    for row in rows:
        theirs = f"{row.theirs:,}" if row.theirs else "-"
        mark = "" if row.gas <= row.target else "  above target"
        lines.append(f"{row.name:32} {theirs:>13} {row.floor:>8,} {row.target:>8,} {row.gas:>8,}{mark}")
    return "\n".join(lines)


def _pairs(stage: Stage, taker: Person, makers: Sequence[Person], side: TokenSide, outcome: Outcome) -> int:
    """The taker buys YES at 0.53 from makers who sell YES (COMPLEMENTARY) or buy NO (MINT)."""
    price = 5_300
    own = price if outcome is YES else 10_000 - price
    order = stage.order(taker, BUY, YES, price, SIZE * len(makers))
    legs = [stage.leg(stage.order(maker, side, outcome, own, SIZE)) for maker in makers]
    return _gas(stage, stage.fills(*((stage.leg(order), leg, price, SIZE) for leg in legs)))


def _slope(stage: Stage, taker: Person, makers: Sequence[Person], side: TokenSide, outcome: Outcome) -> int:
    many = _pairs(stage, taker, makers, side, outcome)
    one = _pairs(stage, taker, makers[:1], side, outcome)
    return (many - one) // (len(makers) - 1)


def _native(stage: Stage, taker: Person, makers: Sequence[Person]) -> int:
    """The second of four orders in each maker's lane word, per further maker."""

    def run(nonce: int, count: int) -> int:
        order = stage.order(taker, BUY, YES, 5_300, SIZE * count, scheme=OrderScheme.NATIVE, nonce=nonce)
        legs = [
            stage.leg(stage.order(maker, SELL, YES, 5_300, SIZE, scheme=OrderScheme.NATIVE, nonce=nonce))
            for maker in makers[:count]
        ]
        return _gas(stage, stage.fills(*((stage.leg(order), leg, 5_300, SIZE) for leg in legs)))

    run(4, len(makers))
    many = run(5, len(makers))
    one = run(6, 1)
    return (many - one) // (len(makers) - 1)


def _merge(stage: Stage, taker: Person, maker: Person) -> int:
    sells_yes = stage.leg(stage.order(taker, SELL, YES, 5_300, SIZE))
    sells_no = stage.leg(stage.order(maker, SELL, NO, 4_700, SIZE))
    return _gas(stage, stage.fills((sells_yes, sells_no, 5_300, SIZE)))


def _custodial(stage: Stage, maker: Person) -> int:
    leg = stage.leg(stage.order(maker, SELL, YES, 5_300, SIZE))
    return _gas(stage, stage.fills((stage.pool_leg(BUY, YES), leg, 5_300, SIZE)))


def _gas(stage: Stage, fills: Sequence[FillOperation]) -> int:
    settled = stage.settle(*fills)
    if len(settled.fills) != len(fills):
        raise AssertionError(f"fills were skipped: {settled.reasons}")
    return settled.gas


if __name__ == "__main__":
    print(table(measure()))
