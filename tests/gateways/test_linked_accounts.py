"""A custodial account and a wallet that are linked: money goes both ways, and both are one owner for self-trade and limits."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from offchain_book.engine import chain_commands as cc
from offchain_book.engine import commands as c
from offchain_book.engine.operations import Outcome, TokenSide
from offchain_book.engine.order import BookSide
from tests.builders import assert_books_balance
from tests.gateways.native_venue import CONTRACT, DOLLAR, STRANGER, TICKER, WALLET, NativeVenue

BUY, YES = TokenSide.BUY, Outcome.YES


@pytest.fixture
async def linked(tmp_path: Path) -> AsyncIterator[NativeVenue]:
    async with NativeVenue(tmp_path).running() as running:
        await running.do(cc.CreditDeposit(3, "venue:guarantee", 1_000 * DOLLAR, "0x4", 1, STRANGER))
        assert (await running.signed("/venue/links", running.link())).status_code == 201
        yield running
        assert_books_balance(running.state)


async def test_cash_and_positions_go_to_the_wallet_and_come_back_by_reference(linked: NativeVenue) -> None:
    cash = {"reference": "w", "amount": "5", "to": WALLET}
    tokens = {"reference": "t", "ticker": TICKER, "outcome": "yes", "count": "4", "wallet": WALLET}
    assert (await linked.signed("/venue/withdrawals", cash)).json()["to"] == WALLET
    assert (await linked.signed("/venue/tokenize", tokens)).json()["to"] == WALLET
    assert linked.state.accounts["alice"].cash.total == 95 * DOLLAR
    await linked.do(cc.CreditDeposit(4, "alice", 5 * DOLLAR, "0x5", 2, WALLET))
    await linked.do(cc.CreditDeposit(5, "alice", 4 * CONTRACT, "0x6", 2, WALLET, TICKER, YES))
    alice = linked.state.accounts["alice"]
    assert (alice.cash.total, alice.balances[f"{TICKER}:YES"].total) == (100 * DOLLAR, 10 * CONTRACT)


async def test_both_never_trade_with_each_other(linked: NativeVenue) -> None:
    await linked.do(c.PlaceOrder("a1", "alice", TICKER, BookSide.ASK, 4_000, 3 * CONTRACT))
    shown = (await linked.order(BUY, YES, 4_500, 3)).json()
    assert (shown["status"], shown["cancel_reason"], shown["trades"]) == ("canceled", "self_trade", [])
    assert linked.state.orders["a1"].remaining_micros == 3 * CONTRACT


async def test_a_limit_of_the_owner_counts_both(linked: NativeVenue) -> None:
    limits = {"account": "alice", "ticker": TICKER, "position_limit": "12", "whole_owner": True}
    set_limit = await linked.admin("POST", "/limits", limits)
    assert set_limit.status_code == 200, set_limit.text
    assert (await linked.order(BUY, YES, 4_000, 2)).status_code == 201
    refused = (await linked.order(BUY, YES, 4_000, 1)).json()["error"]
    assert (refused["code"], refused["details"]["scope"]) == ("POSITION_LIMIT", "owner")


async def test_a_linked_wallet_belongs_to_one_account(linked: NativeVenue) -> None:
    await linked.do(c.OpenAccount("bob", c.Custody.CUSTODIAL, "bob"))
    receipt = await linked.sequencer.submit(c.LinkAccount("bob", WALLET, False))
    assert receipt.rejected is not None
    assert receipt.rejected.code.name == "ALREADY_LINKED"


async def test_delivery_stops_without_the_wallet_and_the_link_stays(linked: NativeVenue) -> None:
    await linked.do(c.LinkAccount("alice", WALLET, True))
    assert linked.state.accounts["alice"].deliver_to == WALLET
    answer = await linked.signed("/venue/links/delivery", None, method="DELETE")
    assert answer.json() == {"account": "alice", "wallet": WALLET, "deliver": False}
    alice = linked.state.accounts["alice"]
    assert (alice.deliver_to, alice.wallet, linked.state.accounts[WALLET].owner) == ("", WALLET, "alice")
    stranger = await linked.http.delete("/venue/links/delivery")
    assert stranger.status_code == 401


async def test_an_account_without_a_wallet_has_no_delivery_to_stop(tmp_path: Path) -> None:
    async with NativeVenue(tmp_path).running() as small:
        answer = await small.signed("/venue/links/delivery", None, method="DELETE")
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "NOT_LINKED")


async def test_a_custodial_account_that_places_here_is_shown_its_own_route(linked: NativeVenue) -> None:
    body = {"ticker": TICKER, "side": "bid", "price": "0.4000", "count": "5.00"}
    error = (await linked.signed("/venue/orders", body)).json()["error"]
    assert (error["code"], error["details"]["route"]) == (
        "PLACE_IN_KALSHIS_DIALECT",
        "/trade-api/v2/portfolio/events/orders",
    )
    assert (await linked.http.post("/venue/orders", json=body)).json()["error"]["code"] == "BAD_BODY"
    headers = linked.key.headers("POST", error["details"]["route"])
    more = {"time_in_force": "good_till_canceled", "self_trade_prevention_type": "taker_at_cross"}
    placed = await linked.http.post(error["details"]["route"], json=body | more, headers=headers)
    assert placed.status_code == 201, placed.text
