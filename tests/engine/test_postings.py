"""What a match posts: every balance is the sum of the postings that events say or imply."""

from collections import Counter

import pytest

from offchain_book.engine.events import Event, Matched, Posted
from offchain_book.engine.names import collateral_account
from offchain_book.engine.operations import Outcome
from offchain_book.engine.postings import postings
from tests.builders import ALICE, BOB, CONTRACT, DOLLAR, FEE_TICKER, TICKER, WALT, find, open_venue
from tests.engine.walk import Walk


def posted(events: list[Event]) -> list[Posted]:
    """Return the postings that events say, or imply."""
    implied = [posting for match in find(events, Matched) if match.operation < 0 for posting in postings(match)]
    return [*find(events, Posted), *implied]


@pytest.mark.parametrize("seed", range(3))
def test_balances_are_the_sums_of_all_postings(seed: int) -> None:
    walk = Walk(seed)
    state, sums = walk.venue.state, Counter[tuple[str, str]]()
    for account_id, account in state.accounts.items():
        sums.update({(account_id, asset): balance.total for asset, balance in account.balances.items()})
    for account_id, amounts in state.contra.items():
        sums.update({(account_id, asset): amount for asset, amount in amounts.items()})
    do = walk.venue.do

    def watched(command: object, request_id: str = "") -> list[Event]:
        events = do(command, request_id)  # type: ignore[arg-type]
        for posting in posted(events):
            assets = Counter[str]()
            for account_id, asset, amount in posting.lines:
                sums[account_id, asset] += amount
                assets[asset] += amount
            assert not any(assets.values()), posting
        return events

    walk.venue.do = watched  # type: ignore[method-assign]
    for _ in range(300):
        walk.step()
    found = Counter[tuple[str, str]]()
    for account_id, account in state.accounts.items():
        found.update({(account_id, asset): balance.total for asset, balance in account.balances.items()})
    for account_id, amounts in state.contra.items():
        found.update({(account_id, asset): amount for asset, amount in amounts.items()})
    assert {key: amount for key, amount in sums.items() if amount} == {
        key: amount for key, amount in found.items() if amount
    }


def test_a_match_between_custodial_accounts_posts_itself_and_both_fees() -> None:
    venue = open_venue()
    venue.place(ALICE, "bid", 6_000, 10, FEE_TICKER)
    (match,) = find(events := venue.place(BOB, "ask", 6_000, 10, FEE_TICKER), Matched)
    vault, yes, no = collateral_account(FEE_TICKER), f"{FEE_TICKER}:YES", f"{FEE_TICKER}:NO"
    assert not find(events, Posted)
    assert [(one.reference, one.lines) for one in postings(match)] == [
        (
            "match:0",
            (
                (BOB, "USD", -4 * DOLLAR),
                (BOB, no, 10 * CONTRACT),
                (ALICE, "USD", -6 * DOLLAR),
                (ALICE, yes, 10 * CONTRACT),
                (vault, "USD", 10 * DOLLAR),
                (vault, yes, -10 * CONTRACT),
                (vault, no, -10 * CONTRACT),
            ),
        ),
        ("match:0", ((BOB, "USD", -168_000), ("venue:equity", "USD", 168_000))),
        ("match:0", ((ALICE, "USD", -42_000), ("venue:equity", "USD", 42_000))),
    ]


def test_a_match_with_a_wallet_is_posted_line_by_line_and_says_the_same() -> None:
    venue = open_venue()
    venue.deposit(WALT, 5 * CONTRACT, TICKER, Outcome.YES)
    venue.place(ALICE, "bid", 6_000, 10)
    (match,) = find(events := venue.place(WALT, "sell yes", 6_000, 5), Matched)
    assert find(events, Posted) == postings(match)
