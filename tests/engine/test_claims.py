"""Orders of one wallet never share a place in the contract's fill state."""

from dataclasses import replace

import pytest

from offchain_book.engine import claims
from offchain_book.engine import commands as c
from offchain_book.engine.events import OrderAccepted, Rejected
from offchain_book.engine.operations import OrderScheme, SignedOrder, TokenSide
from offchain_book.engine.rejects import RejectCode
from offchain_book.engine.snapshot import dump, load
from tests.builders import ALICE, WALT, WENDY, Venue, open_venue

FIRST = SignedOrder(OrderScheme.NATIVE, "0x" + "11" * 32, WENDY, WENDY, "1", TokenSide.BUY, 1, 1, "1", "0x", nonce=7)
V2 = replace(FIRST, scheme=OrderScheme.POLYMARKET_V2, nonce=0, timestamp_ms=5 << 20)


@pytest.fixture
def venue() -> Venue:
    return open_venue()


def refusal(venue: Venue, signed: SignedOrder, wallet: str = WENDY) -> RejectCode | None:
    """Place a resting order; return why it was refused."""
    (first, *_) = venue.place(wallet, "buy yes", 1_000, 1, signed=signed)
    if isinstance(first, Rejected):
        return first.code
    assert isinstance(first, OrderAccepted)
    return None


@pytest.mark.parametrize("signed", [FIRST, V2])
def test_a_place_is_free_again_when_nothing_of_its_order_was_filled(venue: Venue, signed: SignedOrder) -> None:
    assert refusal(venue, signed) is None
    assert refusal(venue, signed) in (RejectCode.SIGNED_NONCE_TAKEN, RejectCode.SIGNED_TAG_TAKEN)
    venue.do(c.CancelOrders(WENDY))
    assert refusal(venue, signed) is None


@pytest.mark.parametrize("signed", [FIRST, V2])
def test_a_place_is_taken_for_ever_once_something_was_filled(venue: Venue, signed: SignedOrder) -> None:
    venue.place(WENDY, "buy yes", 5_000, 2, signed=signed)
    venue.place(ALICE, "ask", 5_000, 1)
    venue.do(c.CancelOrders(WENDY))
    assert refusal(venue, signed) in (RejectCode.SIGNED_NONCE_TAKEN, RejectCode.SIGNED_TAG_TAKEN)


def test_a_snapshot_keeps_the_claims(venue: Venue) -> None:
    assert refusal(venue, V2) is None
    assert load(dump(venue.state)).accounts[WENDY].claims == venue.state.accounts[WENDY].claims != {}


@pytest.mark.parametrize(
    "other",
    [
        replace(V2, digest="0x" + "12" * 32),
        replace(V2, timestamp_ms=6 << 20),
        replace(V2, scheme=OrderScheme.POLYMARKET_V1, fee_rate_bps=700),
        replace(V2, scheme=OrderScheme.NATIVE, fee_rate_bps=700),
    ],
    ids=["tag", "epoch", "V1", "native"],
)
def test_orders_of_other_places_do_not_meet(venue: Venue, other: SignedOrder) -> None:
    assert refusal(venue, V2) is None
    assert refusal(venue, other) is None


def test_wallets_do_not_meet(venue: Venue) -> None:
    assert refusal(venue, V2) is None
    assert refusal(venue, replace(V2, maker=WALT, signer=WALT), WALT) is None


def test_a_tag_is_the_top_of_the_digest_and_never_zero() -> None:
    assert claims.tag_of("0x" + "ff" * 32) == (1 << 21) - 1
    assert claims.tag_of("0x" + "00" * 32) == 1
    assert claims.tag_of("0x000008" + "ff" * 29) == 1
