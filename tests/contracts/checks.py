"""What several tests ask of a stage."""

from offchain_book.engine.operations import Outcome
from tests.contracts.stage import CONTRACT, DOLLAR, Person, Stage, person

YES, NO = Outcome.YES, Outcome.NO
START = 1_000
"""Dollars and sets that alice, bob, carol and the pool start with."""


def holdings(stage: Stage, *names: str) -> dict[str, tuple[float, float, float]]:
    """Cash, YES and NO in the vault, in whole units."""
    people = names or ("alice", "bob", "carol", "pool")
    found = {}
    for name in people:
        who: Person | str = "pool" if name == "pool" else person(name)
        found[name] = (stage.cash(who) / DOLLAR, stage.vault(who, YES) / CONTRACT, stage.vault(who, NO) / CONTRACT)
    return found


def assert_conserved(stage: Stage) -> None:
    """All cash and all collateral are in the token; YES supply = NO supply = collateral."""
    people = [person("alice"), person("bob"), person("carol"), person("pool funder"), "pool"]
    collateral = stage.view("conditionOf", bytes.fromhex(stage.condition[2:]))[1]
    held = stage.view("balanceOf", stage.venue.address, contract=stage.usd)
    assert sum(stage.cash(who) for who in people) + collateral == held
    for outcome in Outcome:
        supply = sum(stage.vault(who, outcome) + (stage.free(who, outcome) if who != "pool" else 0) for who in people)
        assert supply == collateral
