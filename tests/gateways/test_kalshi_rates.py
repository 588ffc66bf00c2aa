"""Rate limits: buckets are always shown, and refuse when the venue was told to."""

from collections.abc import AsyncIterator
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI

from offchain_book.config import UsageTier
from offchain_book.gateways import kalshi
from offchain_book.gateways.kalshi_errors import KalshiError
from offchain_book.gateways.kalshi_rates import MAX_SENDERS, TIERS, Bucket, Limiter
from tests.gateways.conftest import Client, order
from tests.sdk.kalshi_venue import ALICE, BOB, SETTINGS, SmallVenue


@pytest.fixture
async def limited(venue: SmallVenue, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Client]:
    """Return a client of the exchange behind a gateway that enforces the basic tier; time stands still for its buckets."""
    monkeypatch.setattr(kalshi, "monotonic_ms", lambda: 0)
    app = FastAPI()
    app.include_router(kalshi.router(venue.sequencer, replace(SETTINGS, rate_limit_tier=UsageTier.BASIC)))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://venue") as http:
        yield Client(http, venue)


def test_bucket_refills_with_time_and_never_beyond_its_size() -> None:
    bucket = Bucket(per_s=100, capacity=200, now_ms=0)
    assert bucket.take(200)
    assert not bucket.take(1)
    bucket.refill(15)
    assert (bucket.left, bucket.take(2)) == (1, False)
    bucket.refill(1_000)
    assert (bucket.left, bucket.full_in_s) == (100, 1)
    bucket.refill(60_000)
    assert (bucket.left, bucket.full_in_s) == (200, 0)


def test_clock_that_goes_back_gives_nothing() -> None:
    bucket = Bucket(100, 100, 5_000)
    assert bucket.take(100)
    bucket.refill(1_000)
    assert bucket.left == 0
    bucket.refill(5_500)
    assert bucket.left == 50


def test_writes_hold_two_seconds_above_basic() -> None:
    for name, tier in TIERS.items():
        bucket = Limiter(name).bucket(ALICE, "POST", 0)
        assert bucket.capacity == tier.write * (1 if name == "basic" else 2)


def test_charge_takes_all_or_nothing() -> None:
    limiter = Limiter(UsageTier.BASIC)
    bucket = limiter.bucket(ALICE, "POST", 0)
    with pytest.raises(KalshiError) as refused:
        limiter.charge(bucket, 110)
    assert (refused.value.status, refused.value.details["have"], bucket.left) == (429, 100, 100)


def test_senders_that_were_silent_longest_are_forgotten() -> None:
    limiter = Limiter(UsageTier.BASIC)
    limiter.bucket("first", "GET", 0).take(200)
    for number in range(MAX_SENDERS):
        limiter.bucket(f"sender {number}", "GET", 0)
    assert limiter.bucket("first", "GET", 0).left == 200


@pytest.fixture
def still(monkeypatch: pytest.MonkeyPatch) -> None:
    """Time that stands still: no bucket refills, however slow the machine is."""
    monkeypatch.setattr(kalshi, "monotonic_ms", lambda: 1_000)


@pytest.mark.usefixtures("still")
async def test_every_answer_tells_what_is_left(client: Client) -> None:
    first = await client.send("GET", "/portfolio/balance")
    assert (first.headers["X-RateLimit-Limit"], first.headers["X-RateLimit-Remaining"]) == ("200", "190")
    wrong = await client.send("GET", "/portfolio/orders/none")
    assert wrong.status_code == 404
    assert wrong.headers["X-RateLimit-Remaining"] == "180"
    assert "X-RateLimit-Remaining" in (await client.send("GET", "/nonsense", None)).headers


@pytest.mark.usefixtures("still")
async def test_nothing_is_refused_in_development(client: Client) -> None:
    for _ in range(30):
        last = await client.send("GET", "/portfolio/balance")
    assert (last.status_code, last.headers["X-RateLimit-Remaining"]) == (200, "0")


async def test_empty_bucket_refuses_and_other_accounts_go_on(limited: Client) -> None:
    codes = [(await limited.send("DELETE", "/portfolio/events/orders/none")).status_code for _ in range(51)]
    assert codes == [404] * 50 + [429]
    refused = await limited.send("POST", "/portfolio/events/orders", json=order())
    body = refused.json()
    assert (refused.status_code, body["code"], body["error"]["details"]["tier"]) == (429, "too_many_requests", "basic")
    assert refused.headers["Retry-After"] == "1"
    assert (await limited.send("GET", "/portfolio/balance")).status_code == 200
    assert (await limited.place(BOB, "bid", "0.1000", "1.00"))["fill_count"] == "0.00"


async def test_batch_is_charged_for_its_rows_all_or_nothing(limited: Client) -> None:
    eleven = {"orders": [order(count="1.00") for _ in range(11)]}
    refused = await limited.send("POST", "/portfolio/events/orders/batched", json=eleven)
    assert (refused.status_code, refused.json()["error"]["details"]["need"]) == (429, 110)
    assert (await limited.get("/portfolio/orders"))["orders"] == []
    ten = {"orders": eleven["orders"][:9]}
    assert (await limited.send("POST", "/portfolio/events/orders/batched", json=ten)).status_code == 201


async def test_wrong_signature_draws_on_its_address_and_not_on_the_account(limited: Client) -> None:
    forged = {"KALSHI-ACCESS-SIGNATURE": "AAAA"}
    for _ in range(30):
        await limited.send("GET", "/portfolio/balance", headers=forged)
    assert (await limited.send("GET", "/portfolio/balance")).status_code == 200


async def test_limits_and_costs_can_be_read(limited: Client) -> None:
    limits = await limited.get("/account/limits")
    assert limits["read"] == {"refill_rate": 200, "bucket_capacity": 200}
    assert (limits["usage_tier"], limits["enforced"]) == ("basic", True)
    costs = await limited.get("/account/endpoint_costs", None)
    rows = {(row["method"], row["path"]): row["cost"] for row in costs["endpoint_costs"]}
    assert rows["DELETE", "/portfolio/events/orders/{order_id}"] == 2
    assert costs["default_cost"] == 10
