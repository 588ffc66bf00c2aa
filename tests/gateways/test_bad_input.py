"""Nonsense at every route of the wallet dialect and of /venue: refused with a code and a link, never an error of ours.

Kalshi's routes are fuzzed by Schemathesis (tests/sdk/test_kalshi_fuzz.py).
"""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from offchain_book.gateways import error_page
from tests.gateways.native_venue import TICKER, WALLET_KEY, NativeVenue
from tests.gateways.polymarket_fixtures import CONTRACT, DOLLAR, Wallet

DEEP = 20_000
LONG = "x" * 50_000
BODIES: dict[str, bytes] = {
    "nothing": b"",
    "cut off": b"{",
    "no JSON": b"<order/>",
    "null": b"null",
    "a number": b"5",
    "a text": b'"order"',
    "an empty list": b"[]",
    "an empty object": b"{}",
    "a list of nothing": b"[null, 5, {}, []]",
    "not a number": b'{"order": NaN, "price": Infinity}',
    "a number too large": b'{"deadline": 1e999, "limit": 1e400}',
    "an integer too large": b'{"deadline": ' + b"9" * 5_000 + b"}",
    "too deep a list": b"[" * DEEP,
    "too deep an object": b'{"order":' * DEEP,
    "no text": b'{"wallet": "\xff\xfe"}',
    "half a character": b'{"wallet": "\\ud800"}',
    "a long text": json.dumps({"wallet": LONG, "order": LONG, "orderID": LONG, "message": LONG}).encode(),
}
VALUES: dict[str, Any] = {
    "null": None,
    "true": True,
    "negative": -1,
    "a fraction": 0.5,
    "huge": 10**400,
    "a negative text": "-1",
    "a text of no number": "NaN",
    "digits of another script": "\u0661\u0662",
    "a duck": "\U0001f986",
    "nothing": "",
    "long": LONG,
    "a list": [[]],
    "an object": {"a": {}},
}
SAME = {("metadata", "nothing"), ("builder", "nothing"), ("postOnly", "true")}
"""(field, value) that an order may have: the clients send no bytes for zero bytes."""
TEXTS = ("-1", "NaN", "\u0661\u0662", "\U0001f986", "\x00", "../..", "1" * 400, "x" * 5_000)


@pytest.fixture
async def small(tmp_path: Path) -> AsyncIterator[NativeVenue]:
    async with NativeVenue(tmp_path).running() as running:
        yield running


@pytest.fixture
async def wallet(small: NativeVenue) -> Wallet:
    made = Wallet(small.http, WALLET_KEY)
    await made.login()
    return made


def routes(small: NativeVenue, *methods: str) -> Iterator[tuple[str, str, list[str]]]:
    """Yield (method, path, names in the query) of every route but Kalshi's and the operator's."""
    for path, operations in small.app.openapi()["paths"].items():
        for method, operation in operations.items():
            if method.upper() in methods and not path.startswith(("/trade-api", "/venue/admin", "/venue/review")):
                named = [one["name"] for one in operation.get("parameters", ()) if one["in"] == "query"]
                yield method.upper(), path, named


def filled(path: str, value: str = "1") -> str:
    return re.sub(r"{[^}]+}", value, path)


def docs_of(body: Any) -> str:
    """Return the link of an error body of any of the two dialects."""
    inner = body["error"] if isinstance(body["error"], dict) else body
    assert inner["code"], body
    return str(inner["docs"])


KNOWN = set(re.findall(r'id="([^"]+)"', error_page.page()))


def check(answer: httpx.Response, what: object) -> None:
    """See that an answer is none of ours gone wrong, and that a refusal says what it is and where it is explained."""
    assert answer.status_code < 500 or answer.status_code in (501, 503), (what, answer.text[:300])
    assert "Traceback" not in answer.text
    if answer.status_code >= 400:
        assert docs_of(answer.json()).removeprefix("/docs/errors#") in KNOWN, (what, answer.text[:300])


async def sent(wallet: Wallet, method: str, path: str, body: bytes, **headers: str) -> httpx.Response:
    """Send a body that the wallet's key signs as it is; one that is no text is signed as if it were empty."""
    try:
        signed = wallet.headers(method, path, body.decode())
    except UnicodeDecodeError:
        signed = wallet.headers(method, path, "")
    return await wallet.http.request(method, path, content=body, headers=signed | headers)


async def test_bodies_that_are_nothing_are_refused_by_every_route(small: NativeVenue, wallet: Wallet) -> None:
    tried = 0
    for method, path, _ in routes(small, "POST", "PUT", "DELETE"):
        if path == "/auth/api-key":
            continue  # without a body: it would end the key that the others are signed with
        for name, body in BODIES.items():
            answer = await sent(wallet, method, filled(path), body)
            check(answer, (method, path, name))
            tried += 1
    assert tried > 500


async def test_a_wrong_content_type_changes_nothing_and_a_huge_body_is_413(small: NativeVenue, wallet: Wallet) -> None:
    for method, path, _ in routes(small, "POST"):
        odd = await sent(wallet, method, filled(path), b"a=1", **{"Content-Type": "application/x-www-form-urlencoded"})
        check(odd, (path, "form"))
        huge = await small.http.request(method, filled(path), content=b" " * 1_000_001)
        assert huge.status_code == 413, (path, huge.text)
        check(huge, (path, "huge"))


async def test_wrong_methods_say_which_are_right(small: NativeVenue) -> None:
    known: dict[str, set[str]] = {}
    for method, path, _ in routes(small, "GET", "POST", "PUT", "DELETE", "PATCH"):
        known.setdefault(path, set()).add(method)
    for path, methods in known.items():
        for method in {"GET", "POST", "PUT", "DELETE", "PATCH"} - methods:
            if any(
                method in others and re.fullmatch(filled(other, "[^/]+"), filled(path)) for other, others in known.items()
            ):
                continue  # another route takes this method at this very path
            answer = await small.http.request(method, filled(path))
            assert answer.status_code in (404, 405), (method, path, answer.status_code)
            check(answer, (method, path))


async def test_queries_of_the_wrong_form_are_refused_or_found_empty(small: NativeVenue, wallet: Wallet) -> None:
    for method, path, names in routes(small, "GET"):
        for text in TEXTS:
            headers = wallet.headers(method, filled(path))
            for name in names:
                answer = await small.http.get(filled(path), params={name: text}, headers=headers)
                check(answer, (path, name, text[:20]))
            if "{" in path and text.isalnum() and text.isascii():
                check(
                    await small.http.get(filled(path, text), headers=wallet.headers(method, filled(path, text))),
                    (path, text[:20]),
                )


async def test_each_field_of_an_order_refuses_what_it_cannot_be(small: NativeVenue, wallet: Wallet) -> None:
    token = small.state.markets[TICKER].yes_token_id
    good = wallet.payload("BUY", token, 4 * DOLLAR, 10 * CONTRACT)
    native = small.order_body(0, 1, 4_000, 5)  # type: ignore[arg-type]
    before = small.state.seq
    for name, value in VALUES.items():
        for field in good["order"]:
            body = good | {"order": good["order"] | {field: value}}
            if (field, name) not in SAME:
                await _refused(wallet, "/order", body, (field, name))
        for field in ("order", "owner", "orderType", "postOnly"):
            if (field, name) not in SAME:
                await _refused(wallet, "/order", good | {field: value}, (field, name))
        for field in native["order"]:
            await _refused(wallet, "/venue/orders", native | {"order": native["order"] | {field: value}}, (field, name))
    assert small.state.seq == before, "nothing of it reached the exchange"
    assert (await wallet.call("POST", "/order", good)).json()["success"], "what was changed is what was wrong"


async def _refused(wallet: Wallet, path: str, body: dict[str, Any], what: tuple[str, str]) -> None:
    raw = json.dumps(body).encode()
    answer = await sent(wallet, "POST", path, raw)
    assert 400 <= answer.status_code < 500, (what, answer.status_code, answer.text[:300])
    check(answer, what)


async def test_signed_headers_of_the_wrong_form_are_unauthorized(small: NativeVenue, wallet: Wallet) -> None:
    odd = [text.encode().decode("latin-1") for text in TEXTS if "\x00" not in text]
    for names, path in ((wallet.proof(), "/auth/api-key"), (wallet.headers("GET", "/data/orders"), "/data/orders")):
        for name in names:
            for text in odd:
                headers = httpx.Headers([(key, text if key == name else value) for key, value in names.items()], "latin-1")
                answer = await small.http.request("POST" if path.startswith("/auth") else "GET", path, headers=headers)
                assert answer.status_code == 401 or name == "POLY_NONCE", (path, name, text[:20], answer.text)
                check(answer, (path, name, text[:20]))
