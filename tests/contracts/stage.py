"""A stage for contract tests: a private anvil, a deployed venue, and people with names, keys and money.

Real signatures, real receipts, deterministic keys and salts. Senders are impersonated, so nobody needs gas or nonces.
"""

import itertools
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest
from web3 import Web3
from web3.contract import Contract

from bridge.compiler import Artifact, compile_contracts
from bridge.settlement import (
    FILLED_TOPIC,
    SKIPPED_TOPIC,
    FilledLog,
    Skip,
    decode_filled,
    decode_skipped,
    settle_batch_calldata,
    settle_batch_calldata_of,
    token_id,
)
from offchain_book.engine.operations import (
    ZERO_ADDRESS,
    FillLeg,
    FillOperation,
    MatchKind,
    Operation,
    OrderScheme,
    Outcome,
    PoolAction,
    PoolOperation,
    SignedOrder,
    TokenSide,
    VaultAction,
    VaultActionKind,
    WalletOperation,
)
from offchain_book.signatures import (
    Domain,
    keccak256,
    native_domain,
    order_digest,
    polymarket_domain,
    public_key_address,
    sign_digest,
    vault_action_digest,
)
from tests.contracts.anvil import CHAIN_ID, PATIENCE_S, ROOT, Node, abi_type, checksummed, web3_log
from tests.contracts.terms import (
    COMPATIBLE_CHAIN_ID,
    COMPATIBLE_V1,
    COMPATIBLE_V2,
    CONFIGURATION,
    EXIT_DELAY_S,
    OBSERVATION_LAG_S,
    OUTFLOW_LIMIT,
    OUTFLOW_WINDOW_S,
    QUESTION,
    SALT,
    SETTLEMENT_DEADLINE_S,
)

DOLLAR = 1_000_000
CONTRACT = 1_000_000
LOT = 10_000

MOCK_CONTRACTS = (
    "mocks/ContractWallet.sol:ContractWallet",
    "mocks/DepositWallet.sol:DepositWallet",
    "mocks/HostileReceiver.sol:HostileReceiver",
    "mocks/OddCollateral.sol:OddCollateral",
    "mocks/OrderHashHarness.sol:OrderHashHarness",
)


class Reverted(Exception):
    """A transaction that failed; `name` is the custom error, `values` its arguments."""

    def __init__(self, name: str, values: Sequence[Any]) -> None:
        super().__init__(f"{name}{tuple(values)}")
        self.name = name
        self.values = tuple(values)


@dataclass(frozen=True)
class Person:
    """Somebody with a key."""

    name: str
    key: bytes
    address: str


def person(name: str) -> Person:
    import coincurve

    key = keccak256(b"causeway test wallet: " + name.encode())
    return Person(name, key, public_key_address(coincurve.PrivateKey(key).public_key.format(compressed=False)))


@dataclass(frozen=True)
class Settled:
    """What a batch did."""

    receipt: dict[str, Any]
    fills: list[FilledLog]
    skips: list[Skip]

    @property
    def gas(self) -> int:
        return int(self.receipt["gasUsed"], 16)

    @property
    def reasons(self) -> list[str]:
        return [("TAKER_" if skip.of_taker else "") + skip.reason.name for skip in self.skips]


@dataclass
class Stage:
    """The venue on its chain with helpers that read like what they do."""

    node: Node
    artifacts: dict[str, Artifact]
    venue: Contract = field(init=False)
    usd: Contract = field(init=False)
    condition: str = field(init=False)
    roles: dict[str, Person] = field(init=False)
    salts: Iterator[int] = field(init=False)
    overrides: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.web3 = Web3()
        self.salts = itertools.count(1_700_000_000)
        self.roles = {name: person(name) for name in ("operator", "oracle", "reviewer", "guardian", "admin")}
        self.usd = self.deploy("TestUSD")
        self.venue = self.deploy_venue()
        self.condition = self.prepare(QUESTION)

    # Deployment

    def deploy(self, name: str, *arguments: Any) -> Contract:
        artifact = self.artifacts[name]
        libraries = {library: self.deploy(library).address for library in artifact.link_references}
        factory = self.web3.eth.contract(abi=artifact.abi, bytecode=artifact.linked(libraries))
        data = factory.constructor(*arguments).data_in_transaction
        receipt = self.transact(self.roles["admin"].address, None, data)
        return self.web3.eth.contract(abi=artifact.abi, address=self.web3.to_checksum_address(receipt["contractAddress"]))

    def configuration(self) -> dict[str, Any]:
        return {
            "collateral": self.usd.address,
            **{name: who.address for name, who in self.roles.items()},
            "exitDelay": EXIT_DELAY_S,
            "settlementDeadline": SETTLEMENT_DEADLINE_S,
            "observationLag": OBSERVATION_LAG_S,
            "salt": SALT,
            "compatibleChainId": COMPATIBLE_CHAIN_ID,
            "compatibleV1": COMPATIBLE_V1,
            "compatibleV2": COMPATIBLE_V2,
            "poolOutflowLimit": OUTFLOW_LIMIT,
            "poolOutflowWindow": OUTFLOW_WINDOW_S,
            **self.overrides,
        }

    def deploy_venue(self, **overrides: Any) -> Contract:
        return self.deploy("Venue", tuple({**self.configuration(), **overrides}[name] for name in CONFIGURATION))

    def prepare(self, question: str) -> str:
        return self.prepare_as("operator", question)

    def prepare_as(self, sender: str, question: str) -> str:
        self.send(sender, "prepareCondition", bytes.fromhex(question[2:]))
        return "0x" + bytes(self.view("conditionIdOf", bytes.fromhex(question[2:]))).hex()

    # Transactions and views

    def transact(self, sender: str, to: str | None, data: str, gas: int | None = None) -> dict[str, Any]:
        transaction: dict[str, Any] = {"from": sender, "data": data, "gas": hex(gas or 50_000_000), "gasPrice": "0x0"}
        if to:
            transaction["to"] = to
        digest = self.node.call("eth_sendTransaction", transaction)
        deadline = time.monotonic() + PATIENCE_S
        while (receipt := self.node.call("eth_getTransactionReceipt", digest)) is None:
            if time.monotonic() > deadline:
                raise RuntimeError("no receipt")
            time.sleep(0.001)
        if receipt["status"] != "0x1":
            block = hex(int(receipt["blockNumber"], 16) - 1)
            answer = self.node.raw("eth_call", {**transaction, "gasPrice": "0x0"}, block)
            raise self.decode_error(answer.get("error", {}).get("data") or "0x")
        return dict(receipt)

    def decode_error(self, data: str) -> Reverted:
        for contract in (self.venue, self.usd) if hasattr(self, "venue") else (self.usd,) if hasattr(self, "usd") else ():
            for item in contract.abi:
                if item["type"] == "error":
                    signature = f"{item['name']}({','.join(abi_type(i) for i in item['inputs'])})"
                    if keccak256(signature.encode())[:4].hex() == data[2:10]:
                        types = [abi_type(i) for i in item["inputs"]]
                        return Reverted(item["name"], self.web3.codec.decode(types, bytes.fromhex(data[10:])))
        return Reverted(data, ())

    def send(self, sender: str | Person, function: str, *arguments: Any, contract: Contract | None = None) -> dict[str, Any]:
        to = contract or self.venue
        return self.transact(self.address(sender), to.address, to.encode_abi(function, args=list(arguments)))

    def view(self, function: str, *arguments: Any, contract: Contract | None = None) -> Any:
        of = contract or self.venue
        encoded = of.encode_abi(function, args=list(arguments))
        answer = self.node.raw("eth_call", {"to": of.address, "data": encoded}, "latest")
        if "error" in answer:
            raise self.decode_error(answer["error"].get("data") or "0x")
        types = [abi_type(o) for o in next(i for i in of.abi if i.get("name") == function)["outputs"]]
        values = self.web3.codec.decode(types, bytes.fromhex(answer["result"][2:]))
        values = tuple(checksummed(kind, value) for kind, value in zip(types, values, strict=True))
        return values[0] if len(values) == 1 else values

    def events(self, receipt: dict[str, Any], name: str) -> list[dict[str, Any]]:
        event = getattr(self.venue.events, name)()
        topic = (
            "0x" + bytes(event.topic.to_bytes(32) if isinstance(event.topic, int) else bytes.fromhex(event.topic[2:])).hex()
        )
        logs = [log for log in receipt["logs"] if log["topics"] and log["topics"][0] == topic]
        return [dict(event.process_log(web3_log(log))["args"]) for log in logs]

    def address(self, who: str | Person) -> str:
        if isinstance(who, Person):
            return who.address
        return self.roles[who].address if who in self.roles else who

    # Time

    def now(self) -> int:
        return int(self.node.call("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def pass_time(self, seconds: int) -> None:
        self.node.call("evm_setNextBlockTimestamp", self.now() + seconds)
        self.node.call("evm_mine")

    # Money

    def give(self, who: Person, amount: int) -> None:
        """Free collateral, approved to the venue."""
        self.send(who, "faucet", who.address, amount, contract=self.usd)
        self.send(who, "approve", self.venue.address, 2**256 - 1, contract=self.usd)

    def fund(self, who: Person, *, cash: int = 0, sets: int = 0, free_sets: int = 0, condition: str | None = None) -> Person:
        """Cash, full sets in the vault, and full sets in the free half."""
        condition = condition or self.condition
        if cash + sets + free_sets:
            self.give(who, cash + sets + free_sets)
        if cash:
            self.send(who, "deposit", cash)
        if sets + free_sets:
            self.send(who, "split", bytes.fromhex(condition[2:]), sets + free_sets)
        if sets:
            for outcome in Outcome:
                self.send(who, "depositTokens", token_id(condition, outcome), sets)
        return who

    def fund_pool(self, *, cash: int = 0, sets: int = 0) -> None:
        funder = person("pool funder")
        self.fund(funder, free_sets=sets)
        if cash:
            self.give(funder, cash)
            self.send(funder, "depositFor", bytes(31) + b"\1", cash)
        if sets:
            for outcome in Outcome:
                self.send(funder, "depositTokensFor", bytes(31) + b"\1", token_id(self.condition, outcome), sets)

    def cash(self, who: Person | str) -> int:
        return int(self.view("cashOf", self.holder(who)))

    def vault(self, who: Person | str, outcome: Outcome, condition: str | None = None) -> int:
        return int(self.view("vaultBalanceOf", self.holder(who), token_id(condition or self.condition, outcome)))

    def free(self, who: Person | str, outcome: Outcome, condition: str | None = None) -> int:
        return int(self.view("balanceOf", self.holder(who), token_id(condition or self.condition, outcome)))

    def holder(self, who: Person | str) -> str:
        return self.venue.address if who == "pool" else self.address(who)

    # Orders

    def domain(self, scheme: OrderScheme) -> Domain:
        if scheme is OrderScheme.NATIVE:
            return native_domain(CHAIN_ID, self.venue.address)
        address = COMPATIBLE_V1 if scheme is OrderScheme.POLYMARKET_V1 else COMPATIBLE_V2
        return polymarket_domain(scheme, COMPATIBLE_CHAIN_ID, address)

    def order(
        self,
        who: Person,
        side: TokenSide,
        outcome: Outcome,
        price_e4: int,
        size: int = 50 * CONTRACT,
        *,
        scheme: OrderScheme = OrderScheme.POLYMARKET_V2,
        condition: str | None = None,
        sign: bool = True,
        domain: Domain | None = None,
        **fields: Any,
    ) -> SignedOrder:
        """A limit order; `price_e4` is the price of its own token."""
        cost = size * price_e4 // 10_000
        sell, buy = (cost, size) if side is TokenSide.BUY else (size, cost)
        order = SignedOrder(
            scheme=scheme,
            digest="",
            maker=who.address.lower(),
            signer=who.address.lower(),
            token_id=str(token_id(condition or self.condition, outcome)),
            side=side,
            sell_amount_micros=sell,
            buy_amount_micros=buy,
            salt=str(next(self.salts)),
            signature="",
            timestamp_ms=self.now() * 1000 if scheme is OrderScheme.POLYMARKET_V2 else 0,
            fee_rate_bps=0 if scheme is OrderScheme.POLYMARKET_V2 else 700,
        )
        return self.signed(who, replace(order, **fields), sign=sign, domain=domain)

    def signed(self, who: Person, order: SignedOrder, *, sign: bool = True, domain: Domain | None = None) -> SignedOrder:
        digest = order_digest(domain or self.domain(order.scheme), order)
        signature = sign_digest(digest, who.key) if sign else ""
        return replace(order, digest="0x" + digest.hex(), signature=signature)

    def filled(self, order: SignedOrder) -> tuple[int, bool]:
        """What an order has given so far, and whether it is at its end."""
        digest = bytes.fromhex(order.digest[2:])
        if order.scheme is OrderScheme.NATIVE:
            return tuple(self.view("nativeOrderFilled", self.web3.to_checksum_address(order.maker), order.nonce))
        if order.scheme is OrderScheme.POLYMARKET_V2:
            maker = self.web3.to_checksum_address(order.maker)
            return tuple(self.view("v2OrderFilled", maker, order.timestamp_ms, digest))
        return tuple(self.view("orderFilled", digest))

    def leg(self, order: SignedOrder, fee: int = 0, closes: bool = False) -> FillLeg:
        return FillLeg(
            order_id=order.digest,
            account_id=order.maker,
            wallet=order.maker,
            outcome=Outcome(int(order.token_id) & 0xFF),
            side=order.side,
            fee_micros=fee,
            signed=order,
            closes_order=closes,
        )

    def pool_leg(self, side: TokenSide, outcome: Outcome) -> FillLeg:
        return FillLeg(f"custodial-{side}-{outcome}", "house", None, outcome, side, 0, None, False)

    def fill(
        self,
        taker: FillLeg,
        maker: FillLeg,
        price_e4: int,
        size: int = 50 * CONTRACT,
        *,
        number: int | None = None,
        not_after: int | None = None,
        condition: str | None = None,
        kind: MatchKind | None = None,
    ) -> FillOperation:
        """A fill at a YES price; the kind follows from the legs."""
        if kind is None:
            same_side = MatchKind.MINT if taker.side is TokenSide.BUY else MatchKind.MERGE
            kind = same_side if taker.side is maker.side else MatchKind.COMPLEMENTARY
        return FillOperation(
            number=self.next() if number is None else number,
            match_id=1,
            ticker="RAIN",
            condition_id=condition or self.condition,
            kind=kind,
            size_micros=size,
            price_e4=price_e4,
            taker=taker,
            maker=maker,
            not_after_s=self.now() + SETTLEMENT_DEADLINE_S if not_after is None else not_after,
        )

    def fills(self, *triples: tuple[Any, ...], **common: Any) -> list[FillOperation]:
        """Several fills (taker, maker, price[, size]) numbered in a row, with one deadline."""
        first, not_after = self.next(), self.now() + SETTLEMENT_DEADLINE_S
        common = {"not_after": not_after, **common}
        return [self.fill(*triple, number=first + i, **common) for i, triple in enumerate(triples)]

    def pool_action(
        self, action: PoolAction, amount: int, *, outcome: Outcome | None = None, to: str = ZERO_ADDRESS, **fields: Any
    ) -> PoolOperation:
        operation = PoolOperation(
            number=self.next(),
            action=action,
            ticker="RAIN",
            condition_id=self.condition,
            outcome=outcome,
            amount_micros=amount,
            to=to,
            not_after_s=self.now() + SETTLEMENT_DEADLINE_S,
            reference="",
        )
        return replace(operation, **fields)

    def vault_action(
        self,
        who: Person,
        kind: VaultActionKind,
        *,
        id: int = 0,
        amount: int = 0,
        to: str | None = None,
        nonce: int = 0,
        deadline: int | None = None,
        signer: Person | None = None,
        number: int | None = None,
        sign: bool = True,
    ) -> WalletOperation:
        action = VaultAction(
            wallet=who.address.lower(),
            kind=kind,
            id=str(id),
            amount_micros=amount,
            to=to or who.address.lower(),
            nonce=str(nonce),
            deadline_s=self.now() + 60 if deadline is None else deadline,
            signature="",
        )
        digest = vault_action_digest(self.domain(OrderScheme.NATIVE), action)
        signature = sign_digest(digest, (signer or who).key) if sign else ""
        action = replace(action, signature=signature)
        return WalletOperation(
            number=self.next() if number is None else number,
            action_id="a",
            action=action,
            ticker="RAIN",
            needs=(),
            not_after_s=self.now() + SETTLEMENT_DEADLINE_S,
        )

    # The stream

    def next(self) -> int:
        return int(self.view("nextOperation"))

    def settle(self, *operations: Operation, sender: str = "operator") -> Settled:
        numbered = list(operations)
        first = numbered[0].number
        calldata = settle_batch_calldata(first, numbered)
        return self.settle_raw(calldata, sender=sender)

    def settle_bytes(self, encoded: bytes, first: int | None = None) -> Settled:
        return self.settle_raw(settle_batch_calldata_of(self.next() if first is None else first, encoded))

    def settle_raw(self, calldata: bytes, sender: str = "operator", gas: int | None = None) -> Settled:
        receipt = self.transact(self.address(sender), self.venue.address, "0x" + calldata.hex(), gas)
        fills, skips = [], []
        for log in receipt["logs"]:
            data = bytes.fromhex(log["data"][2:])
            if log["topics"][0] == FILLED_TOPIC:
                fills.append(decode_filled(log["topics"], data))
            elif log["topics"][0] == SKIPPED_TOPIC:
                skips.append(decode_skipped(log["topics"], data))
        return Settled(receipt, fills, skips)


def compile_stage(root: Path = ROOT, *, mocks: bool = True) -> dict[str, Artifact]:
    """Compile what the tests deploy; the production build comes from the cache that `causeway up` uses."""
    cache = root / "var" / "cache"
    production = compile_contracts(root, cache)
    return {**production, **compile_contracts(root, cache, MOCK_CONTRACTS)} if mocks else production


def expect_revert(name: str, action: Callable[[], Any]) -> Reverted:
    """Run `action` and return its revert, which must be the custom error `name`."""
    with pytest.raises(Reverted) as caught:
        action()
    assert caught.value.name == name
    return caught.value
