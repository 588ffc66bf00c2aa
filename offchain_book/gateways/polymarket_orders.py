"""From a posted order to a command: shape, ownership, signature, amounts. What the exchange thinks of it comes later.

Polymarket's words end here: its `maker` is the wallet whose funds move, `makerAmount` what the order gives,
`takerAmount` what it asks for.
"""

import asyncio
import dataclasses
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Literal, NamedTuple

import msgspec

from offchain_book.config import Settings
from offchain_book.engine.account import ApiKey
from offchain_book.engine.commands import PlaceOrder
from offchain_book.engine.market import Market
from offchain_book.engine.operations import (
    POLYMARKET_V1,
    POLYMARKET_V2,
    ZERO_ADDRESS,
    ZERO_BYTES32,
    OrderScheme,
    SignedOrder,
    TokenSide,
)
from offchain_book.engine.order import BookSide, TimeInForce
from offchain_book.engine.units import LOT_MICROS, PRICE_SCALE
from offchain_book.gateways.contract_wallets import ContractWallets, HookRefused
from offchain_book.gateways.polymarket_errors import INVALID_EXPIRATION, INVALID_PAYLOAD, ApiError, malformed, off_tick
from offchain_book.gateways.polymarket_words import Token, book_side, fixed, own_price_e4, price_text
from offchain_book.gateways.signature_pool import SignaturePool
from offchain_book.signatures import (
    CONTRACT_SIGNATURE,
    EOA_SIGNATURE,
    Domain,
    InvalidAddress,
    InvalidSignature,
    order_digest,
    parse_address,
    parse_signature,
    polymarket_domain,
    recover,
    with_digest,
)

GTD_SAFETY_S = 60
"""A GTD order leaves the book this long before its stated expiration, as in production."""
SIGNATURE_TYPES = ("EOA", "POLY_PROXY", "POLY_GNOSIS_SAFE", "POLY_1271")
_HEX32 = re.compile(r"0x[0-9a-f]{64}")
_ONE_FORM = re.compile(r"0x[0-9a-f]{128}1[bc]")
"""How signatures are kept: lower case, v 27 or 28."""
_SIDES = {side.name: side for side in TokenSide}
_TIMES_IN_FORCE = {
    "GTC": TimeInForce.GTC,
    "GTD": TimeInForce.GTC,
    "FOK": TimeInForce.FOK,
    "FAK": TimeInForce.IOC,
}
_UINT256 = 2**256
_MOST_MICROS = 10**14
"""Numbers that no order can mean are taken for a malformed payload; the exchange's own limits are far below."""
_MOST_SECONDS = 10**11
_MOST_MILLISECONDS = 10**14
_MOST_NONCE = 2**63 - 1
_MOST_BPS = 10**9
_MOST_SIGNATURE_TYPE = 255
_MAINNET = 137
_NEG_RISK_V1 = ("0xd91E80cF2E7be2e162c6513ceD06f1dD0dA35296", "0xC5d563A36AE78145C45a50134d48A1215220f80a")
_NEG_RISK_V2 = "0xe2222d279d744050d28e00520010520000310F59"
_MAINNET_V1 = "0x4bFb41d5B3570DeFd03C39a9A4D8dE6Bd8B8982E"
_EXCHANGE_V3 = "0x9fE6e61422AdB6F610d8597F9684b16912D50C3D"


class OrderFields(msgspec.Struct, rename="camel"):
    """The order inside a payload: V1 fields (taker, nonce, feeRateBps), V2 fields (timestamp, metadata, builder)."""

    salt: int | str
    maker: str
    signer: str
    token_id: str
    maker_amount: int | str
    taker_amount: int | str
    side: Literal["BUY", "SELL"]
    signature_type: int
    signature: str
    expiration: int | str = "0"
    taker: str | None = None
    nonce: int | str | None = None
    fee_rate_bps: int | str | None = None
    timestamp: int | str | None = None
    metadata: str = ""
    builder: str = ""


class PostedOrder(msgspec.Struct, rename="camel"):
    """A payload of POST /order; `deferExec` changes nothing, because no answer here waits for the chain."""

    order: OrderFields
    owner: str
    order_type: Literal["GTC", "GTD", "FOK", "FAK"] = "GTC"
    post_only: bool = False
    defer_exec: bool = False


def _integer(value: int | str, name: str, most: int = _UINT256 - 1) -> int:
    """Read a number that came as a JSON number or as decimal digits."""
    if isinstance(value, str):
        if not (value.isascii() and value.isdigit() and len(value) <= 78):
            raise malformed(INVALID_PAYLOAD, f"{name} has to be a whole number, not {value[:80]!r}")
        value = int(value)
    if not 0 <= value <= most:
        raise malformed(INVALID_PAYLOAD, f"{name} has to be between 0 and {most}")
    return value


@lru_cache(maxsize=4_096)
def _token_id(value: str) -> str:
    """Read a token's id: 77 digits that come again with every order."""
    return str(_integer(value, "tokenId"))


def _bytes32(value: str, name: str) -> str:
    """Read 32 bytes of hex; the clients pad short ones with zeros on the left before they sign."""
    if value == ZERO_BYTES32:
        return value
    padded = "0x" + value.removeprefix("0x").rjust(64, "0").lower()
    if not _HEX32.fullmatch(padded):
        raise malformed(INVALID_PAYLOAD, f"{name} has to be 32 bytes of hex")
    return padded


def _address(value: str, name: str) -> str:
    try:
        return parse_address(value)
    except InvalidAddress as error:
        raise malformed(INVALID_PAYLOAD, f"{name}: {error}") from error


def scheme_of(fields: OrderFields) -> OrderScheme:
    """Return which of the two structs was signed."""
    if fields.timestamp is not None:
        return POLYMARKET_V2
    if fields.nonce is None or fields.fee_rate_bps is None:
        reason = "an order has either a timestamp (V2) or nonce and feeRateBps (V1); this one has neither"
        raise malformed(INVALID_PAYLOAD, reason)
    return POLYMARKET_V1


def domain_of(settings: Settings, scheme: OrderScheme) -> Domain:
    """Return the domain under which unmodified clients sign."""
    exchange = settings.compatible_v1 if scheme is POLYMARKET_V1 else settings.compatible_v2
    return polymarket_domain(scheme, settings.client_chain_id, exchange)


def signed_order(settings: Settings, fields: OrderFields) -> SignedOrder:
    """Return what was signed, with its digest; says nothing about the signature yet."""
    scheme = scheme_of(fields)
    is_v1 = scheme is POLYMARKET_V1
    unhashed = SignedOrder(
        scheme=scheme,
        digest="",
        maker=_address(fields.maker, "maker"),
        signer=_address(fields.signer, "signer"),
        token_id=_token_id(fields.token_id),
        side=_SIDES[fields.side],
        sell_amount_micros=_integer(fields.maker_amount, "makerAmount", _MOST_MICROS),
        buy_amount_micros=_integer(fields.taker_amount, "takerAmount", _MOST_MICROS),
        salt=str(_integer(fields.salt, "salt")),
        signature=fields.signature,
        signature_type=_integer(fields.signature_type, "signatureType", _MOST_SIGNATURE_TYPE),
        timestamp_ms=0 if is_v1 else _integer(fields.timestamp or 0, "timestamp", _MOST_MILLISECONDS),
        metadata=_bytes32("" if is_v1 else fields.metadata, "metadata"),
        builder=_bytes32("" if is_v1 else fields.builder, "builder"),
        expiration_s=_integer(fields.expiration, "expiration", _MOST_SECONDS) if is_v1 else 0,
        nonce=_integer(fields.nonce or 0, "nonce", _MOST_NONCE) if is_v1 else 0,
        fee_rate_bps=_integer(fields.fee_rate_bps or 0, "feeRateBps", _MOST_BPS) if is_v1 else 0,
    )
    return with_digest(domain_of(settings, scheme), unhashed)


def check_owner(key: ApiKey | None, posted: PostedOrder, signed: SignedOrder) -> None:
    """Check that an order is posted with the API key of the wallet that signs it."""
    if key is None or posted.owner != key.key_id:
        known = "(unknown)" if key is None else key.key_id
        reason = f"the order's owner is {posted.owner}, the request is signed with API key {known}"
        raise ApiError(400, "the order owner has to be the owner of the API KEY", "WRONG_OWNER", reason)
    _check_type(signed)
    if signed.signer != key.account_id and signed.signature_type == EOA_SIGNATURE:
        raise ApiError(
            400,
            "the order signer address has to be the address of the API KEY",
            "WRONG_SIGNER",
            f"the order is signed by {signed.signer}, the API key belongs to {key.account_id}",
            expected=key.account_id,
            signer=signed.signer,
        )


def check_wallets(posted: PostedOrder, signed: SignedOrder) -> None:
    """Check the signature type, and that the wallet that pays is the one that signs, for everybody."""
    _check_type(signed)
    if signed.maker != signed.signer:
        reason = f"with signature type 0 the wallet that pays ({signed.maker}) is the one that signs ({signed.signer})"
        raise ApiError(400, "maker address not allowed", "WRONG_MAKER", reason, maker=signed.maker, signer=signed.signer)
    if posted.order.taker is not None and _address(posted.order.taker, "taker") != ZERO_ADDRESS:
        reason = "orders are open to everybody: the taker has to be the zero address"
        raise ApiError(400, "taker address not allowed", "WRONG_TAKER", reason, taker=posted.order.taker)


def _check_type(signed: SignedOrder) -> None:
    if not EOA_SIGNATURE <= signed.signature_type <= CONTRACT_SIGNATURE:
        raise malformed(INVALID_PAYLOAD, f"there is no signature type {signed.signature_type}")
    contract = signed.signature_type == CONTRACT_SIGNATURE and signed.scheme is POLYMARKET_V2
    if signed.signature_type != EOA_SIGNATURE and not contract:
        raise _unsupported_type(signed.signature_type)


class Checking(NamedTuple):
    """An order whose signature is being recovered, by nobody yet when the chain has to be asked."""

    posted: PostedOrder
    signed: SignedOrder
    recovering: "asyncio.Future[str] | None"


def begin_check(settings: Settings, signatures: SignaturePool, key: ApiKey, posted: PostedOrder) -> Checking:
    """Check an order's shape and owner and put its signature in line; `signatures` recovers all of a turn at once.

    The one place where an order's signature is recovered: off the event loop, and before the order is numbered.
    """
    signed = signed_order(settings, posted.order)
    check_owner(key, posted, signed)
    check_wallets(posted, signed)
    if signed.signature_type == CONTRACT_SIGNATURE:
        return Checking(posted, signed, None)  # the chain is asked when everything else is right: `approved`
    return Checking(posted, signed, signatures.ask(bytes.fromhex(signed.digest[2:]), signed.signature))


async def checked(settings: Settings, checking: Checking) -> SignedOrder:
    """Check that the signer signed exactly this order, and return it with its signature in one form."""
    signed = checking.signed
    if checking.recovering is None:
        return signed
    try:
        recovered = (await checking.recovering).lower()
    except InvalidSignature as error:
        raise _invalid_signature(settings, signed, "", str(error)) from error
    if recovered != signed.signer:
        reason = f"the signature recovers to {recovered}, not to the signer {signed.signer}"
        raise _invalid_signature(settings, signed, recovered, reason)
    if _ONE_FORM.fullmatch(signed.signature):
        return signed
    r, s, bit = parse_signature(signed.signature)
    in_one_form = f"0x{r:064x}{s:064x}{bit + 27:02x}"
    return dataclasses.replace(signed, signature=in_one_form)


async def approved(contracts: ContractWallets | None, settings: Settings, command: PlaceOrder) -> None:
    """Let a contract wallet stand behind its order on chain, or refuse it. What the exchange would refuse is not asked for."""
    signed = command.signed
    assert signed is not None
    if contracts is None:
        reason = "contract wallets (signature type 3, ERC-1271) are not served: no chain is attached to ask them"
        raise ApiError(501, f"invalid signature: {reason}", "SIGNATURE_TYPE", reason, signature_type=CONTRACT_SIGNATURE)
    try:
        yes = await contracts.approve(signed.maker, bytes.fromhex(signed.digest[2:]), signed.signature)
    except HookRefused as error:
        raise ApiError(error.status, error.message, error.code) from error
    if not yes:
        raise _invalid_signature(
            settings, signed, "", f"the contract {signed.maker} does not take this signature (ERC-1271)"
        )


def _unsupported_type(signature_type: int) -> ApiError:
    name = SIGNATURE_TYPES[signature_type]
    if signature_type == CONTRACT_SIGNATURE:
        reason = "signature type 3 (ERC-1271) is for V2 orders; a V1 order is signed as EOA with signature type 0"
        return ApiError(400, f"invalid signature: {reason}", "SIGNATURE_TYPE", reason, signature_type=signature_type)
    reason = (
        f"signature type {signature_type} ({name}) names a proxy wallet of Polymarket's; this venue settles from the "
        "signer's own vault balance, so sign as EOA with signature type 0 and without a funder"
    )
    return ApiError(400, f"invalid signature: {reason}", "SIGNATURE_TYPE", reason, signature_type=signature_type)


def _invalid_signature(settings: Settings, signed: SignedOrder, recovered: str, reason: str) -> ApiError:
    """Return the error that says what was expected, what was found, and which other domain the signature fits."""
    domain = domain_of(settings, signed.scheme)
    others = _other_domains(settings, signed.scheme)
    hint = next((f"; it fits {where}" for where, other in others if _fits(other, signed)), "")
    return ApiError(
        400,
        f"Invalid signature: {reason}{hint}",
        "INVALID_SIGNATURE",
        reason + hint,
        check="signature",
        expected=signed.signer,
        recovered=recovered,
        digest=signed.digest,
        domain={
            "name": domain.name,
            "version": domain.version,
            "chainId": domain.chain_id,
            "verifyingContract": domain.verifying_contract or "",
        },
    )


def _other_domains(settings: Settings, scheme: OrderScheme) -> Iterator[tuple[str, Domain]]:
    """Yield the domains that people sign under by mistake."""
    chain = settings.client_chain_id
    is_v1 = scheme is POLYMARKET_V1
    for exchange in _NEG_RISK_V1 if is_v1 else (_NEG_RISK_V2,):
        where = "the domain of the neg-risk exchange, but no market here is neg-risk"
        yield where, polymarket_domain(scheme, chain, exchange)
    own = settings.compatible_v1 if is_v1 else settings.compatible_v2
    for other, exchange in ((_MAINNET, _MAINNET_V1 if is_v1 else own), (_MAINNET, own), (settings.chain_id, own)):
        where = f"chain id {other}, but this venue takes orders signed for {chain}"
        yield where, polymarket_domain(scheme, other, exchange)
    where = "exchange version 3, which a client signs for `position_id`; give it the token as `token_id`"
    yield where, Domain("Polymarket CTF Exchange", "3", chain, _EXCHANGE_V3)


def _fits(domain: Domain, signed: SignedOrder) -> bool:
    try:
        return recover(order_digest(domain, signed), signed.signature).lower() == signed.signer
    except InvalidSignature:
        return False


def to_command(posted: PostedOrder, signed: SignedOrder, token: Token, builder: str = "") -> PlaceOrder:
    """Return the command for an order whose signature has been checked."""
    market, order_type = token.market, posted.order_type
    if posted.post_only and order_type in ("FOK", "FAK"):
        reason = "post-only orders can only be of type GTC or GTD"
        raise ApiError(400, f"invalid post-only order: {reason}", "POST_ONLY_TYPE", reason)
    buys = signed.side is TokenSide.BUY
    by_amount = order_type in ("FOK", "FAK")
    cash, size = signed.sell_amount_micros, signed.buy_amount_micros
    if not buys:
        cash, size = size, cash
    if by_amount and buys:
        _check_precision(market, signed)
    side = book_side(token.outcome, signed.side)
    price = _price(signed, token, side, cash, size, rounded=by_amount) if size else 0
    if by_amount and buys:
        size = _lots_for(cash, own_price_e4(token.outcome, price)) if size else 0
    return PlaceOrder(
        order_id=signed.digest,
        account_id=signed.maker,
        ticker=market.ticker,
        side=side,
        price_e4=price,
        size_micros=size,
        outcome=token.outcome,
        time_in_force=_TIMES_IN_FORCE[order_type],
        post_only=posted.post_only,
        expires_ms=_expires_ms(posted),
        budget_micros=cash if by_amount and buys else 0,
        to_the_last=by_amount and buys,
        signed=signed,
        builder=builder,
    )


def _check_precision(market: Market, signed: SignedOrder) -> None:
    """Refuse a market buy that is finer than production takes: 2 decimals given, 4 asked for.

    On a tick finer than a cent the clients sign more decimals than production takes, and most such orders are lost there
    (py-clob-client-v2#99). Here they pass: as many decimals as the clients sign, the tick's and two more.
    """
    decimals = max(4, len(price_text(market.finest_tick_e4).partition(".")[2]) + 2)
    units = {
        "makerAmount": (signed.sell_amount_micros, 10**4),
        "takerAmount": (signed.buy_amount_micros, 10 ** (6 - decimals)),
    }
    fine = {name: (value, unit) for name, (value, unit) in units.items() if value % unit}
    if not fine:
        return
    nearest = {
        f"{name}_{where}": str(value - value % unit + more)
        for name, (value, unit) in fine.items()
        for where, more in (("below", 0), ("above", unit))
    }
    raise ApiError(
        400,
        "invalid amounts, the market buy orders maker amount supports a max accuracy of 2 decimals, "
        f"taker amount a max of {decimals} decimals",
        "AMOUNT_PRECISION",
        f"{' and '.join(fine)} (millionths) are finer than that; the nearest valid amounts are in the details",
        **nearest,
    )


def _expires_ms(posted: PostedOrder) -> int:
    """Return when the order leaves the book; only GTD orders do."""
    expiration_s = _integer(posted.order.expiration, "expiration", _MOST_SECONDS)
    if (posted.order_type == "GTD") is (expiration_s > 0):
        return max(1, (expiration_s - GTD_SAFETY_S) * 1000) if expiration_s else 0
    reason = (
        f"a GTD order needs an expiration at least {GTD_SAFETY_S} s ahead"
        if posted.order_type == "GTD"
        else f"only GTD orders expire; this one is {posted.order_type} with expiration {expiration_s}"
    )
    raise ApiError(400, INVALID_EXPIRATION, "INVALID_EXPIRATION", reason, expiration=expiration_s)


def _lots_for(cash_micros: int, price_e4: int) -> int:
    """Return the whole lots that an amount buys at a price; the size of an order by amount is not binding."""
    return cash_micros * PRICE_SCALE // price_e4 // LOT_MICROS * LOT_MICROS if price_e4 else 0


def _price(signed: SignedOrder, token: Token, side: BookSide, cash: int, size: int, *, rounded: bool) -> int:
    """Return the YES price of an order that gives or asks `cash` for `size`.

    An order by amount is rounded to the grid, never beyond what was signed; a limit order has to be on it.
    """
    own, rest = divmod(cash * PRICE_SCALE, size)
    if own > PRICE_SCALE:
        own, rest = PRICE_SCALE, 0
    if rounded:
        if rest and signed.side is TokenSide.SELL:
            own += 1
        below, above = neighbours(token.market, own_price_e4(token.outcome, own))
        return below if side is BookSide.BID else above
    if rest:
        around = (own, own + 1)
        edges = [p for e4 in around for p in neighbours(token.market, own_price_e4(token.outcome, e4))]
        lowest, highest = token.market.price_ranges[0][0], token.market.price_ranges[-1][1]
        nearest = sorted(own_price_e4(token.outcome, min(max(edge, lowest), highest)) for edge in edges)
        exact = fixed(cash * 10**8 // size, 8)
        tick = price_text(token.market.tick_at(own_price_e4(token.outcome, own)))
        raise off_tick(signed.digest, exact, tick, price_text(nearest[0]), price_text(nearest[-1]))
    return own_price_e4(token.outcome, own)


def neighbours(market: Market, yes_price_e4: int) -> tuple[int, int]:
    """Return the nearest prices of a market's grid at or below and at or above a price; 0 or $1 where there is none."""
    below, above = 0, PRICE_SCALE
    for start, end, step in market.price_ranges:
        if yes_price_e4 >= start:
            below = max(below, min(end, yes_price_e4 - (yes_price_e4 - start) % step))
        if yes_price_e4 <= end:
            above = min(above, max(start, yes_price_e4 + (start - yes_price_e4) % step))
    return (below, above)
