"""Withdrawals under a policy, and reserves, as their users call them."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519

from offchain_book.engine import commands as c
from offchain_book.liabilities import Tree, read_proof, verify
from offchain_book.reserves import Publication, Row, owed
from tests.gateways.native_venue import DOLLAR, OPERATOR, STRANGER, NativeVenue
from tests.sdk.kalshi_venue import Key

POLICY = {
    "cooling_off_s": 0,
    "window_s": 86_400,
    "account_cap": "50",
    "venue_cap": "80",
    "approval_above": "10",
    "approvals": 1,
    "approvers": ["bob"],
}


class Strict:
    """A venue with POLICY, where bob approves and STRANGER is on alice's list."""

    def __init__(self, venue: NativeVenue) -> None:
        self.venue = venue
        self.bob = Key("bob-key", ed25519.Ed25519PrivateKey.generate())

    async def prepare(self) -> None:
        await self.venue.do(c.OpenAccount("bob", c.Custody.CUSTODIAL, "bob"))
        await self.venue.do(c.RegisterKey("bob", self.bob.key_id, c.KeyKind.KALSHI, self.bob.public_pem))
        assert (await self.venue.admin("POST", "/withdrawal-policy", POLICY)).status_code == 200
        added = await self.venue.signed("/venue/destinations", {"address": STRANGER})
        assert added.json()["address"] == STRANGER

    async def send(self, amount: str, reference: str = "r1", to: str = STRANGER) -> Any:
        return await self.venue.signed("/venue/withdrawals", {"reference": reference, "amount": amount, "to": to})


@pytest.fixture
async def strict(tmp_path: Path) -> AsyncIterator[Strict]:
    async with NativeVenue(tmp_path).running() as running:
        found = Strict(running)
        await found.prepare()
        yield found


def error_of(response: Any) -> tuple[int, str]:
    return response.status_code, response.json()["error"]["code"]


async def test_an_address_that_is_not_listed_is_refused_and_says_from_when_it_would_do(strict: Strict) -> None:
    other = "0x" + "9a" * 20
    answer = await strict.send("1", to=other)
    assert error_of(answer) == (400, "DESTINATION_NOT_ALLOWED")
    assert answer.json()["error"]["details"]["usable_ms"] == 0
    assert (await strict.send("1")).status_code == 201


async def test_a_large_withdrawal_waits_and_another_persons_key_sends_it(strict: Strict) -> None:
    held = (await strict.send("20")).json()
    assert held["waits_for_approvals"] == 1
    assert strict.venue.state.next_operation == 0
    listed = await strict.venue.signed("/venue/withdrawals", None, key=strict.bob, method="GET")
    assert [one["reference"] for one in listed.json()["withdrawals"]] == ["alice:r1"]
    own = await strict.venue.signed("/venue/withdrawals/alice:r1/approve", None)
    assert error_of(own) == (400, "NOT_AN_APPROVER")
    approved = await strict.venue.signed("/venue/withdrawals/alice:r1/approve", None, key=strict.bob)
    assert approved.json()["missing"] == 0
    assert strict.venue.state.accounts["alice"].cash.total == 80 * DOLLAR


async def test_an_approved_withdrawal_that_is_no_longer_allowed_says_why(strict: Strict) -> None:
    await strict.send("20")
    await strict.venue.signed("/venue/destinations", {"address": STRANGER}, method="DELETE")
    answer = await strict.venue.signed("/venue/withdrawals/alice:r1/approve", None, key=strict.bob)
    assert error_of(answer) == (409, "DESTINATION_NOT_ALLOWED")
    assert strict.venue.state.accounts["alice"].cash.total == 100 * DOLLAR


async def test_a_waiting_withdrawal_can_be_taken_back(strict: Strict) -> None:
    await strict.send("20")
    assert (await strict.venue.signed("/venue/withdrawals/alice:r1/reject", None)).status_code == 200
    answer = await strict.venue.signed("/venue/withdrawals/alice:r1/approve", None, key=strict.bob)
    assert error_of(answer) == (400, "UNKNOWN_WITHDRAWAL")


async def test_the_cap_says_how_much_is_left(strict: Strict) -> None:
    for number in range(5):
        assert (await strict.send("10", f"r{number}")).status_code == 201
    answer = await strict.send("1", "last")
    assert error_of(answer) == (400, "WITHDRAWAL_CAP")
    assert answer.json()["error"]["details"]["have_micros"] == 0


async def test_only_the_operator_sets_the_policy_and_the_freeze(strict: Strict) -> None:
    for path, body in (("/withdrawal-policy", POLICY), ("/freeze", {"reason": "x"}), ("/unfreeze", {"reason": "x"})):
        assert (await strict.venue.admin("POST", path, body, headers={})).status_code == 401


async def test_a_freeze_is_shown_and_taken_back_with_a_reason(strict: Strict) -> None:
    await strict.venue.admin("POST", "/freeze", {"reason": "counting"})
    assert error_of(await strict.send("1")) == (400, "FROZEN")
    shown = (await strict.venue.http.get("/venue/reserves")).json()
    assert shown["frozen"] == "counting"
    await strict.venue.admin("POST", "/unfreeze", {"reason": "counted"})
    assert (await strict.send("1")).status_code == 201


async def test_every_account_gets_its_own_proof_and_nobody_elses(strict: Strict) -> None:
    nothing = await strict.venue.signed("/venue/reserves/proof", None, method="GET")
    assert error_of(nothing) == (503, "NOT_PUBLISHED")
    tree = Tree(strict.venue.state.seq, owed(strict.venue.state), b"secret")
    strict.venue.board.publication = Publication(tree, 7, 1, "0xabc")
    answer = (await strict.venue.signed("/venue/reserves/proof", None, method="GET")).json()
    assert answer["account_id"] == "alice"
    verify(read_proof(answer), tree.statement.root)
    await strict.venue.do(c.OpenAccount("late", c.Custody.CUSTODIAL, "late"))
    late = Key("late-key", ed25519.Ed25519PrivateKey.generate())
    await strict.venue.do(c.RegisterKey("late", late.key_id, c.KeyKind.KALSHI, late.public_pem))
    too_early = await strict.venue.signed("/venue/reserves/proof", None, key=late, method="GET")
    assert error_of(too_early) == (404, "NOT_COUNTED_YET")
    assert (await strict.venue.http.get("/venue/reserves/proof")).status_code == 401


async def test_leaves_are_for_the_auditor_and_carry_no_names(strict: Strict) -> None:
    tree = Tree(strict.venue.state.seq, owed(strict.venue.state), b"secret")
    strict.venue.board.publication = Publication(tree, 7, 1, "0xabc")
    assert (await strict.venue.http.get("/venue/reserves/leaves")).status_code == 401
    answer = await strict.venue.http.get("/venue/reserves/leaves", headers=OPERATOR)
    assert sum(int(one["sum_micros"]) for one in answer.json()["leaves"]["USD"]) == 100 * DOLLAR
    assert "alice" not in answer.text


async def test_a_difference_shows_and_is_not_called_equal(strict: Strict) -> None:
    board = strict.venue.board
    board.block_number = 7
    board.rows["pool", "USD"] = Row("pool", "USD", 5, 4, 0, 7)
    shown = (await strict.venue.http.get("/venue/reserves")).json()
    assert shown["equal"] is False
    assert shown["rows"][0]["difference_micros"] == -1
