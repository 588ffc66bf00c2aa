"""The demo: named people, funded accounts and open markets, made through the same doors that everybody uses.

Accounts and markets are commands, money is real deposits on chain. Every step looks first whether it is done already, so a
start that was interrupted goes on where it stopped. Names, tickers and key ids depend on the seed alone.
"""

import asyncio
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from msgspec.structs import replace

from bridge.chain import Chain, keccak_hex
from bridge.datadir import write_private
from bridge.deployment import Deployment, Key, dev_key
from bridge.indexer import account_reference
from bridge.logs import Deposited
from offchain_book.engine.commands import (
    Command,
    CreateEvent,
    CreateMarket,
    CreateSeries,
    Custody,
    KeyKind,
    OpenAccount,
    RegisterKey,
)
from offchain_book.engine.names import COLLATERAL, EQUITY, GUARANTEE
from offchain_book.engine.operations import Outcome
from offchain_book.engine.state import State
from offchain_book.engine.units import ONE_DOLLAR_MICROS
from offchain_book.gateways.market_file import MarketFile, event_command, market_command, parse_toml, series_command
from offchain_book.sequencer import Sequencer

CUSTODIAL = ("alice", "bob", "carol")
WALLETS = ("dave", "erin", "frank")
"""Accounts 0, 1, 2 of the development mnemonic. The last one deposits nothing."""
FUNDER_INDEX = 4
"""The account of the mnemonic that pays the custodial deposits in."""
ACCOUNT_MICROS = 10_000 * ONE_DOLLAR_MICROS
"""What each funded account can trade with."""
WALLET_FREE_MICROS = 10_000 * ONE_DOLLAR_MICROS
"""Test dollars that every wallet has outside the vault."""
VENUE_MICROS: Mapping[str, int] = {GUARANTEE: 50_000 * ONE_DOLLAR_MICROS, EQUITY: 10_000 * ONE_DOLLAR_MICROS}
COLLATERAL_MICROS = 10_000 * ONE_DOLLAR_MICROS
"""The demo's fund for collateral return."""
HEDGES = tuple(
    Path(__file__).resolve().parents[1] / "docs" / "examples" / f"{name}.toml"
    for name in ("home-prices", "power-price", "data-centre-energy")
)
"""Market files that are listed beside the demo's own markets: brackets, a scalar and ordered strikes."""
OPEN_FOR_MS = 365 * 86_400_000
"""How long a demo market stays open."""
_KEY_NAMESPACE = uuid.UUID("6f9a2f0e-3a52-5b0c-9d1c-0c0a05e3a000")

Ranges = tuple[tuple[int, int, int], ...]
_CENTS: Ranges = ((100, 9_900, 100),)
_TENTH_CENTS: Ranges = ((10, 9_990, 10),)


class SeedError(Exception):
    """The demo could not be made; the message says what stood in the way."""


@dataclass(frozen=True, slots=True)
class DemoMarket:
    """One market of the demo."""

    ticker: str
    event_ticker: str
    title: str
    yes_sub_title: str
    price_structure: str
    price_ranges: Ranges

    @property
    def rules(self) -> str:
        """What decides it."""
        return f"If the keeper of the causeway reports '{self.yes_sub_title}', the market resolves to Yes."


SERIES = (
    CreateSeries("KXDEMO", "Weather on the causeway", "Climate and Weather", ("demo",)),
    CreateSeries(
        "KXFEE", "Traffic on the causeway", "Transportation", ("demo",), "custom", "quadratic_with_maker_fees", 700, 175
    ),
)
EVENTS = (
    CreateEvent("KXDEMO-26", "KXDEMO", "What will the weather on the causeway be?", "On the last day of the demo"),
    CreateEvent("KXFEE-26", "KXFEE", "How many will cross the causeway?", "On the last day of the demo"),
)
MARKETS = (
    DemoMarket("KXDEMO-26-SUN", "KXDEMO-26", "Will the sun shine on the causeway?", "Sun", "linear_cent", _CENTS),
    DemoMarket("KXDEMO-26-RAIN", "KXDEMO-26", "Will it rain on the causeway?", "Rain", "linear_cent", _CENTS),
    DemoMarket("KXDEMO-26-SNOW", "KXDEMO-26", "Will it snow on the causeway?", "Snow", "deci_cent", _TENTH_CENTS),
    DemoMarket("KXFEE-26-1000", "KXFEE-26", "Will 1,000 cross the causeway?", "1,000 or more", "linear_cent", _CENTS),
)


def key_id(seed: int, name: str) -> str:
    """Return the API key id of a custodial account."""
    return str(uuid.uuid5(_KEY_NAMESPACE, f"{seed}/{name}"))


def wallet_keys() -> dict[str, Key]:
    """Return the demo wallets by name."""
    return {name: dev_key(index) for index, name in enumerate(WALLETS)}


def _public_pem(path: Path) -> str:
    """Return the public half of the RSA key in a file, making the file at the first call."""
    if path.exists():
        private = serialization.load_pem_private_key(path.read_bytes(), None)
    else:
        private = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
        pem = private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        write_private(path, pem)
    spki = serialization.PublicFormat.SubjectPublicKeyInfo
    return private.public_key().public_bytes(serialization.Encoding.PEM, spki).decode()


class Seeder:
    """Makes the demo on one venue."""

    def __init__(
        self,
        sequencer: Sequencer,
        chain: Chain,
        deployment: Deployment,
        admin_key: str,
        collateral_abi: Sequence[Mapping[str, Any]],
    ) -> None:
        self._sequencer = sequencer
        self._chain = chain
        self._deployment = deployment
        self._admin_key = admin_key
        self._collateral_abi = collateral_abi

    async def fund_venue(self) -> int:
        """Pay in the guarantee and the venue's own money. Returns the block of the last deposit ever made."""
        made = await asyncio.to_thread(self._deposits)
        return await asyncio.to_thread(self._fund_pool, made, VENUE_MICROS)

    async def make_demo(self, seed: int, keys_dir: Path) -> int:
        """Make accounts, keys, markets and deposits. Returns the block of the last deposit."""
        wallets = wallet_keys()
        for name in CUSTODIAL:
            pem = await asyncio.to_thread(_public_pem, keys_dir / f"{name}.pem")
            await self._once(name in self._state.accounts, OpenAccount(name, Custody.CUSTODIAL, name))
            registration = RegisterKey(name, key_id(seed, name), KeyKind.KALSHI, pem, f"{name}'s demo key")
            await self._once(registration.key_id in self._state.keys, registration)
        for name, wallet in wallets.items():
            known = wallet.address in self._state.accounts
            await self._once(known, OpenAccount(wallet.address, Custody.WALLET, name))
        made = await asyncio.to_thread(self._deposits)
        references = {**VENUE_MICROS, COLLATERAL: COLLATERAL_MICROS, **dict.fromkeys(CUSTODIAL, ACCOUNT_MICROS)}
        blocks = await asyncio.gather(
            asyncio.to_thread(self._fund_pool, made, references),
            *(asyncio.to_thread(self._fund_wallet, made, wallet) for wallet in list(wallets.values())[:-1]),
            asyncio.to_thread(self._give_dollars, wallets[WALLETS[-1]], WALLET_FREE_MICROS),
            self._list_markets(),
        )
        return max(block or 0 for block in blocks)

    @property
    def _state(self) -> State:
        return self._sequencer.state

    async def _once(self, done: bool, command: Command) -> None:
        if done:
            return
        receipt = await self._sequencer.submit(command, "seed")
        if receipt.rejected is not None:
            raise SeedError(f"the demo's {type(command).__name__} was refused: {receipt.rejected}")

    async def _list_markets(self) -> None:
        for series in SERIES:
            await self._once(series.series_ticker in self._state.series, series)
        for event in EVENTS:
            await self._once(event.event_ticker in self._state.events, event)
        for market in MARKETS:
            question_id, condition_id = await asyncio.to_thread(self._prepare, market.ticker, market.rules)
            await self._once(market.ticker in self._state.markets, self._create(market, question_id, condition_id))
        for path in HEDGES:
            await self._list_file(parse_toml(path.read_text()))

    async def _list_file(self, file: MarketFile) -> None:
        """List a market file's markets, open for as long as the demo's own, whatever the file says."""
        await self._once(file.series.ticker in self._state.series, series_command(file.series))
        await self._once(file.event.ticker in self._state.events, event_command(file))
        for part in file.markets:
            found = await asyncio.to_thread(self._prepare, part.ticker, part.rules)
            now_ms = self._sequencer.clock_ms()
            command = market_command(part, file.event.ticker, *found, now_ms)
            await self._once(part.ticker in self._state.markets, replace(command, close_ms=now_ms + OPEN_FOR_MS))

    def _create(self, market: DemoMarket, question_id: str, condition_id: str) -> CreateMarket:
        condition, now_ms = int(condition_id, 16), self._sequencer.clock_ms()
        return CreateMarket(
            ticker=market.ticker,
            event_ticker=market.event_ticker,
            title=market.title,
            question_id=question_id,
            condition_id=condition_id,
            yes_token_id=str(condition | Outcome.YES),
            no_token_id=str(condition | Outcome.NO),
            open_ms=now_ms,
            close_ms=now_ms + OPEN_FOR_MS,
            yes_sub_title=market.yes_sub_title,
            no_sub_title=f"Not {market.yes_sub_title}",
            rules=market.rules,
            price_structure=market.price_structure,
            price_ranges=market.price_ranges,
        )

    # --- on chain, in worker threads: one sender each ----------------------------------------------------------------

    def _prepare(self, ticker: str, rules: str) -> tuple[str, str]:
        return prepare_condition(self._chain, self._admin_key, ticker, rules)

    def _deposits(self) -> list[Deposited]:
        """Return every deposit that the chain shows: the demo makes only what is missing."""
        logs = self._chain.logs(self._deployment.block_number, self._chain.head().number)
        return [event for event in logs if isinstance(event, Deposited)]

    def _fund_pool(self, made: Sequence[Deposited], amounts: Mapping[str, int]) -> int:
        """Pay in for custodial accounts. Returns the block of the last deposit."""
        block = max((event.place.block_number for event in made), default=0)
        references = {event.account_reference for event in made}
        missing = {name: amount for name, amount in amounts.items() if account_reference(name) not in references}
        if missing:
            funder = dev_key(FUNDER_INDEX)
            self._give_dollars(funder, sum(missing.values()))
            self._approve(funder, sum(missing.values()))
        for name, amount in missing.items():
            reference = bytes.fromhex(account_reference(name)[2:])
            calldata = self._chain.encode("depositFor", [reference, amount])
            block = self._call(funder, self._deployment.venue, calldata)
        return block

    def _fund_wallet(self, made: Sequence[Deposited], wallet: Key) -> int:
        """Fill a wallet and its vault account. Returns the block of its deposit."""
        blocks = [event.place.block_number for event in made if event.wallet == wallet.address]
        if blocks:
            return blocks[-1]
        self._give_dollars(wallet, WALLET_FREE_MICROS + ACCOUNT_MICROS)
        self._approve(wallet, ACCOUNT_MICROS)
        return self._call(wallet, self._deployment.venue, self._chain.encode("deposit", [ACCOUNT_MICROS]))

    def _give_dollars(self, to: Key, amount_micros: int) -> None:
        """Bring an address to this many test dollars."""
        have = int(self._read_collateral("balanceOf", [to.address]))
        if have < amount_micros:
            self._call(to, self._deployment.collateral, self._collateral("faucet", [to.address, amount_micros - have]))

    def _approve(self, owner: Key, amount_micros: int) -> None:
        self._call(owner, self._deployment.collateral, self._collateral("approve", [self._deployment.venue, amount_micros]))

    def _collateral(self, function: str, args: Sequence[Any]) -> bytes:
        return self._chain.encode(function, args, self._collateral_abi)

    def _read_collateral(self, function: str, args: Sequence[Any]) -> Any:
        return self._chain.read(function, args, to=self._deployment.collateral, abi=self._collateral_abi)

    def _call(self, sender: Key, to: str, calldata: bytes) -> int:
        return self._chain.transact(sender.private_key, to, calldata).block_number


def prepare_condition(chain: Chain, key: str, ticker: str, rules: str) -> tuple[str, str]:
    """Open a market's condition on chain, unless it is open. Returns question id and condition id."""
    question_id = keccak_hex(f"{ticker}\n{rules}")
    question = bytes.fromhex(question_id[2:])
    condition = bytes(chain.read("conditionIdOf", [question]))
    state, _, _ = chain.read("conditionOf", [condition])
    if state == 0:
        chain.transact(key, chain.address, chain.encode("prepareCondition", [question]))
    return question_id, "0x" + condition.hex()
