"""Signatures off the event loop: right answers, in order, also for the wrong ones."""

import asyncio

import pytest

from offchain_book.gateways.signature_pool import SignaturePool
from offchain_book.signatures import InvalidSignature, keccak256, sign_digest
from tests.gateways.polymarket_fixtures import address_of


async def test_many_at_once_come_back_in_their_order_each_with_its_own_answer() -> None:
    pool, order = SignaturePool(), []
    keys = [bytes([number]) * 32 for number in range(1, 30)]

    async def ask(place: int) -> str:
        digest = keccak256(bytes([place]))
        found = await pool.recover(digest, sign_digest(digest, keys[place]))
        order.append(place)
        return found

    first = await asyncio.gather(*map(ask, range(15)))
    second = await asyncio.gather(*map(ask, range(15, 29)))
    assert [*first, *second] == list(map(address_of, keys))
    assert order == list(range(29))


async def test_a_bad_signature_fails_alone() -> None:
    pool, digest, key = SignaturePool(), keccak256(b"x"), b"\x05" * 32
    good, bad = pool.recover(digest, sign_digest(digest, key)), pool.recover(digest, "0x12")
    answers = await asyncio.gather(good, bad, return_exceptions=True)
    assert answers[0] == address_of(key)
    assert isinstance(answers[1], InvalidSignature)


async def test_a_caller_that_gave_up_stops_nobody() -> None:
    pool, digest, key = SignaturePool(), keccak256(b"x"), b"\x05" * 32
    gone = asyncio.ensure_future(pool.recover(digest, sign_digest(digest, key)))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    assert await pool.recover(digest, sign_digest(digest, key)) == address_of(key)
