"""What is not a fill: the pool's operations, actions that wallets signed, and receivers that misbehave."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from web3.contract import Contract

from bridge.settlement import token_id
from offchain_book.engine.operations import OrderScheme, Outcome, PoolAction, TokenSide, VaultActionKind
from offchain_book.signatures import vault_action_digest
from tests.contracts.checks import START, assert_conserved, holdings
from tests.contracts.stage import CONTRACT, DOLLAR, Person, Stage, expect_revert, person
from tests.contracts.terms import EXIT_DELAY_S, OUTFLOW_LIMIT, OUTFLOW_WINDOW_S

BUY, SELL = TokenSide.BUY, TokenSide.SELL
YES, NO = Outcome.YES, Outcome.NO
WITHDRAW, SPLIT, MERGE = VaultActionKind.WITHDRAW, VaultActionKind.SPLIT, VaultActionKind.MERGE
REDEEM, SET_DELIVERY = VaultActionKind.REDEEM, VaultActionKind.SET_DELIVERY
TAKE_BACK, TAKE_BACK_FREE = VaultActionKind.TAKE_BACK, VaultActionKind.TAKE_BACK_FREE
SIZE = 50 * CONTRACT


@pytest.fixture
def hostile(stage: Stage) -> Contract:
    return stage.deploy("HostileReceiver")


def misbehave(stage: Stage, hostile: Contract, mode: int, target: str | None = None, data: bytes = b"") -> None:
    stage.send("admin", "set", mode, target or hostile.address, data, contract=hostile)


def condition_word(stage: Stage) -> int:
    return int(stage.condition, 16)


def resolve(stage: Stage, yes_payout: int) -> None:
    condition = bytes.fromhex(stage.condition[2:])
    stage.send("oracle", "report", condition, yes_payout)
    stage.send("reviewer", "confirm", condition, yes_payout)


# The pool


def test_the_pool_splits_and_merges(stage: Stage) -> None:
    assert not stage.settle(stage.pool_action(PoolAction.SPLIT, 100 * CONTRACT)).skips
    assert holdings(stage, "pool") == {"pool": (900, 1_100, 1_100)}
    settled = stage.settle(stage.pool_action(PoolAction.MERGE, 300 * CONTRACT))
    assert holdings(stage, "pool") == {"pool": (1_200, 800, 800)}
    (event,) = stage.events(settled.receipt, "PoolActionExecuted")
    assert (event["number"], event["action"], event["id"], event["amount"]) == (
        stage.next() - 1,
        1,
        condition_word(stage),
        300 * CONTRACT,
    )
    assert_conserved(stage)


@pytest.mark.parametrize(
    ("action", "amount", "outcome", "reason"),
    [
        (PoolAction.SPLIT, 1_001 * CONTRACT, None, "INSUFFICIENT_CASH"),
        (PoolAction.SPLIT, 0, None, "ZERO_AMOUNT"),
        (PoolAction.MERGE, 1_001 * CONTRACT, None, "INSUFFICIENT_TOKENS"),
        (PoolAction.MERGE, 100_000 * CONTRACT, None, "INSUFFICIENT_COLLATERAL"),
        (PoolAction.REDEEM, CONTRACT, YES, "CONDITION_NOT_RESOLVED"),
        (PoolAction.SEND_CASH, 1_001 * DOLLAR, None, "INSUFFICIENT_CASH"),
        (PoolAction.SEND_CASH, 0, None, "ZERO_AMOUNT"),
        (PoolAction.SEND_TOKENS, 1_001 * CONTRACT, YES, "INSUFFICIENT_TOKENS"),
        (PoolAction.SEND_CASH, OUTFLOW_LIMIT + 1, None, "OUTFLOW_LIMIT"),
    ],
)
def test_the_pool_cannot_do_what_it_cannot_afford(
    stage: Stage, alice: Person, action: PoolAction, amount: int, outcome: Outcome | None, reason: str
) -> None:
    operation = stage.pool_action(action, amount, outcome=outcome, to=alice.address)
    assert stage.settle(operation).reasons == [reason]
    assert holdings(stage, "pool") == {"pool": (START, START, START)}


def test_pool_cash_and_tokens_go_to_the_receivers_free_half(stage: Stage) -> None:
    dana = person("dana")
    cash = stage.pool_action(PoolAction.SEND_CASH, 30 * DOLLAR, to=dana.address)
    tokens = stage.pool_action(PoolAction.SEND_TOKENS, SIZE, outcome=NO, to=dana.address)
    settled = stage.settle(cash, replace(tokens, number=cash.number + 1))
    assert not settled.skips
    assert stage.view("balanceOf", dana.address, contract=stage.usd) == 30 * DOLLAR
    assert stage.free(dana, NO) == SIZE
    (mint,) = stage.events(settled.receipt, "TransferSingle")
    assert (int(mint["from"], 16), mint["to"], mint["id"]) == (0, dana.address, token_id(stage.condition, NO))
    assert holdings(stage, "pool") == {"pool": (970, START, 950)}


@pytest.mark.parametrize("to", ["zero", "venue"])
def test_the_pool_does_not_send_to_nobody_or_to_the_venue(stage: Stage, to: str) -> None:
    receiver = "0x" + "00" * 20 if to == "zero" else stage.venue.address
    for operation in (
        stage.pool_action(PoolAction.SEND_CASH, DOLLAR, to=receiver),
        stage.pool_action(PoolAction.SEND_TOKENS, CONTRACT, outcome=YES, to=receiver),
    ):
        assert stage.settle(replace(operation, number=stage.next())).reasons == ["BAD_RECEIVER"]


def test_a_late_pool_operation_is_skipped(stage: Stage) -> None:
    late = stage.pool_action(PoolAction.SPLIT, CONTRACT, not_after_s=stage.now() - 1)
    assert stage.settle(late).reasons == ["TOO_LATE"]


def test_the_outflow_limit_counts_tokens_as_dollars_and_refills_over_the_window(stage: Stage, alice: Person) -> None:
    third = OUTFLOW_LIMIT // 3
    stage.fund_pool(cash=third, sets=third)
    assert not stage.settle(stage.pool_action(PoolAction.SEND_CASH, third, to=alice.address)).skips
    assert not stage.settle(stage.pool_action(PoolAction.SEND_TOKENS, third, outcome=YES, to=alice.address)).skips
    assert not stage.settle(stage.pool_action(PoolAction.SEND_TOKENS, third - 10**9, outcome=NO, to=alice.address)).skips
    over = stage.pool_action(PoolAction.SEND_CASH, 900 * DOLLAR + 2 * 10**9, to=alice.address)
    assert stage.settle(over).reasons == ["OUTFLOW_LIMIT"]
    stage.pass_time(OUTFLOW_WINDOW_S // 2)
    assert not stage.settle(stage.pool_action(PoolAction.SEND_CASH, 900 * DOLLAR, to=alice.address)).skips
    more = stage.pool_action(PoolAction.SEND_TOKENS, OUTFLOW_LIMIT // 2 + 2 * 10**9, outcome=NO, to=alice.address)
    assert stage.settle(more).reasons == ["OUTFLOW_LIMIT"]


def test_the_outflow_limit_survives_fills_of_the_pool(stage: Stage, alice: Person) -> None:
    """Cash and limit share a word."""
    stage.fund_pool(sets=OUTFLOW_LIMIT)
    most = stage.pool_action(PoolAction.SEND_TOKENS, OUTFLOW_LIMIT - 10**9, outcome=YES, to=alice.address)
    assert not stage.settle(most).skips
    sell = stage.leg(stage.order(alice, SELL, NO, 5_000))
    assert not stage.settle(stage.fill(stage.pool_leg(BUY, NO), sell, 5_000)).skips
    again = stage.pool_action(PoolAction.SEND_TOKENS, 20 * 10**9, outcome=NO, to=alice.address)
    assert stage.settle(again).reasons == ["OUTFLOW_LIMIT"]
    assert stage.cash("pool") == 975 * DOLLAR
    assert stage.view("positionsOf", stage.venue.address) == 2
    drained = stage.pool_action(PoolAction.MERGE, stage.vault("pool", YES))
    assert not stage.settle(drained).skips
    assert stage.view("positionsOf", stage.venue.address) == 1
    assert stage.settle(replace(again, number=stage.next())).reasons == ["OUTFLOW_LIMIT"]


@pytest.mark.parametrize(("limit", "reasons"), [(0, ["TAKER_OUTFLOW_LIMIT"]), ((2**86 - 1) // OUTFLOW_WINDOW_S, [])])
def test_at_the_ends_of_what_a_limit_can_be_the_pool_trades_nothing_or_without_end(
    stage: Stage, alice: Person, monkeypatch: pytest.MonkeyPatch, limit: int, reasons: list[str]
) -> None:
    monkeypatch.setattr(stage, "venue", stage.deploy_venue(poolOutflowLimit=limit))
    monkeypatch.setattr(stage, "condition", stage.prepare(stage.condition))
    stage.fund(alice, sets=START * CONTRACT)
    for _ in range(3):
        stage.fund_pool(cash=OUTFLOW_LIMIT)
    for size in (SIZE, SIZE, 900 * CONTRACT):
        sell = stage.leg(stage.order(alice, SELL, YES, 9_900, size))
        assert stage.settle(stage.fill(stage.pool_leg(BUY, YES), sell, 9_900, size)).reasons == reasons
        send = stage.pool_action(PoolAction.SEND_CASH, OUTFLOW_LIMIT - 990 * DOLLAR, to=alice.address)
        assert bool(stage.settle(send).skips) is bool(reasons)
    assert stage.cash("pool") == (3 * OUTFLOW_LIMIT if reasons else 1_980 * DOLLAR)


# Wallets


def test_a_wallet_withdraws_cash_and_tokens_to_anybody(stage: Stage, alice: Person) -> None:
    dana = person("dana")
    cash = stage.vault_action(alice, WITHDRAW, amount=30 * DOLLAR, to=dana.address, nonce=1)
    tokens = stage.vault_action(alice, WITHDRAW, id=token_id(stage.condition, YES), amount=SIZE, nonce=2)
    settled = stage.settle(cash, replace(tokens, number=cash.number + 1))
    assert not settled.skips
    assert stage.view("balanceOf", dana.address, contract=stage.usd) == 30 * DOLLAR
    assert stage.free(alice, YES) == 60 * CONTRACT
    assert holdings(stage, "alice") == {"alice": (970, 950, START)}
    events = stage.events(settled.receipt, "VaultActionExecuted")
    assert [(event["wallet"], event["kind"], event["amount"]) for event in events] == [
        (alice.address, 0, 30 * DOLLAR),
        (alice.address, 0, SIZE),
    ]
    assert_conserved_with(stage, dana)


def assert_conserved_with(stage: Stage, dana: Person) -> None:
    stage.send(dana, "transfer", stage.roles["admin"].address, 30 * DOLLAR, contract=stage.usd)
    assert_conserved(stage)


def test_a_wallet_splits_merges_and_redeems_in_its_vault(stage: Stage, alice: Person) -> None:
    condition = condition_word(stage)
    assert not stage.settle(stage.vault_action(alice, SPLIT, id=condition, amount=100 * CONTRACT, nonce=1)).skips
    assert holdings(stage, "alice") == {"alice": (900, 1_100, 1_100)}
    assert not stage.settle(stage.vault_action(alice, MERGE, id=condition, amount=600 * CONTRACT, nonce=2)).skips
    assert holdings(stage, "alice") == {"alice": (1_500, 500, 500)}
    assert_conserved(stage)
    sell = stage.leg(stage.order(alice, SELL, NO, 5_000, 300 * CONTRACT))
    stage.settle(stage.fill(sell, stage.pool_leg(BUY, NO), 5_000, 300 * CONTRACT))
    resolve(stage, 250_000)
    paid = 0
    for nonce, outcome, held in ((3, YES, 500), (4, NO, 200)):
        redeem = stage.vault_action(
            alice, REDEEM, id=token_id(stage.condition, outcome), amount=held * CONTRACT, nonce=nonce
        )
        paid += stage.events(stage.settle(redeem).receipt, "VaultActionExecuted")[0]["amount"]
    assert paid == (125 + 150) * DOLLAR
    assert holdings(stage, "alice") == {"alice": (1_500 + 150 + 275, 0, 0)}


def test_a_vault_action_runs_once(stage: Stage, alice: Person) -> None:
    action = stage.vault_action(alice, WITHDRAW, amount=DOLLAR, nonce=2**255)
    assert not stage.settle(action).skips
    assert stage.view("vaultActionUsed", alice.address, 2**255) is True
    assert stage.settle(replace(action, number=stage.next())).reasons == ["NONCE_USED"]
    assert not stage.settle(stage.vault_action(alice, WITHDRAW, amount=DOLLAR, nonce=2**255 + 1)).skips


def test_an_impossible_action_has_not_used_its_nonce(stage: Stage, alice: Person) -> None:
    action = stage.vault_action(alice, WITHDRAW, amount=1_001 * DOLLAR, nonce=4)
    assert stage.settle(action).reasons == ["INSUFFICIENT_CASH"]
    assert stage.view("vaultActionUsed", alice.address, 4) is False
    stage.fund(alice, cash=DOLLAR)
    assert not stage.settle(replace(action, number=stage.next())).skips


def test_nobody_else_can_sign_for_a_wallet(stage: Stage, alice: Person, bob: Person) -> None:
    action = stage.vault_action(alice, WITHDRAW, amount=DOLLAR, to=bob.address, signer=bob)
    assert stage.settle(action).reasons == ["BAD_SIGNATURE"]
    unsigned = stage.vault_action(alice, WITHDRAW, amount=DOLLAR, sign=False)
    assert stage.settle(unsigned).reasons == ["NOT_APPROVED"]


def test_a_wallet_sends_cash_and_tokens_into_the_pool_by_signature_alone(stage: Stage, alice: Person) -> None:
    """Nobody pays in and no deposit is counted: the ledger knows from the operation whose it is."""
    deposits = stage.view("depositCount")
    for nonce, (id_, amount) in enumerate([(0, 30 * DOLLAR), (token_id(stage.condition, NO), START * CONTRACT)]):
        action = stage.vault_action(alice, TAKE_BACK, id=id_, amount=amount, nonce=nonce)
        settled = stage.settle(action)
        assert not settled.skips
        (event,) = stage.events(settled.receipt, "VaultActionExecuted")
        assert (event["wallet"], event["kind"], event["id"], event["amount"]) == (alice.address, TAKE_BACK, id_, amount)
        assert stage.settle(replace(action, number=stage.next())).reasons == ["NONCE_USED"]
    assert holdings(stage, "alice", "pool") == {"alice": (970, START, 0), "pool": (1_030, START, 2 * START)}
    assert stage.view("positionsOf", alice.address) == 1
    assert stage.view("depositCount") == deposits
    assert_conserved(stage)


def test_tokens_of_the_free_half_go_into_the_pool_by_signature_and_the_standards_event_says_so(
    stage: Stage, alice: Person
) -> None:
    token = token_id(stage.condition, NO)
    settled = stage.settle(stage.vault_action(alice, TAKE_BACK_FREE, id=token, amount=4 * CONTRACT))
    assert not settled.skips
    (burn,) = stage.events(settled.receipt, "TransferSingle")
    assert (burn["from"], int(burn["to"], 16), burn["id"], burn["value"]) == (alice.address, 0, token, 4 * CONTRACT)
    assert (stage.free(alice, NO), stage.free(alice, YES)) == (6 * CONTRACT, 10 * CONTRACT)
    assert holdings(stage, "alice", "pool") == {"alice": (START, START, START), "pool": (START, START, START + 4)}
    assert_conserved(stage)


@pytest.mark.parametrize("field", ["kind", "id", "amount_micros", "to", "nonce", "deadline_s"])
def test_every_field_of_an_action_is_signed(stage: Stage, alice: Person, bob: Person, field: str) -> None:
    operation = stage.vault_action(alice, WITHDRAW, amount=DOLLAR)
    changed = {
        "kind": SET_DELIVERY,
        "id": str(token_id(stage.condition, YES)),
        "amount_micros": 2 * DOLLAR,
        "to": bob.address,
        "nonce": "1",
        "deadline_s": operation.action.deadline_s + 1,
    }[field]
    forged = replace(operation, action=replace(operation.action, **{field: changed}))  # type: ignore[arg-type]
    assert stage.settle(forged).reasons == ["BAD_SIGNATURE"]


@pytest.mark.parametrize(
    ("make", "reason"),
    [
        (lambda s, a: s.vault_action(a, WITHDRAW, amount=0), "ZERO_AMOUNT"),
        (lambda s, a: s.vault_action(a, WITHDRAW, amount=DOLLAR, deadline=s.now() - 1), "TOO_LATE"),
        (lambda s, a: replace(s.vault_action(a, WITHDRAW, amount=DOLLAR), not_after_s=s.now() - 1), "TOO_LATE"),
        (lambda s, a: s.vault_action(a, WITHDRAW, amount=DOLLAR, to="0x" + "00" * 20), "BAD_RECEIVER"),
        (lambda s, a: s.vault_action(a, WITHDRAW, amount=DOLLAR, to=s.venue.address), "BAD_RECEIVER"),
        (lambda s, a: s.vault_action(a, WITHDRAW, id=77, amount=1), "INSUFFICIENT_TOKENS"),
        (lambda s, a: s.vault_action(a, SPLIT, id=77, amount=1), "CONDITION_NOT_OPEN"),
        (lambda s, a: s.vault_action(a, MERGE, id=77, amount=1), "INSUFFICIENT_COLLATERAL"),
        (lambda s, a: s.vault_action(a, REDEEM, id=77, amount=1), "CONDITION_NOT_RESOLVED"),
        (lambda s, a: s.vault_action(a, REDEEM, id=77), "ZERO_AMOUNT"),
        (lambda s, a: s.vault_action(a, TAKE_BACK, amount=0), "ZERO_AMOUNT"),
        (lambda s, a: s.vault_action(a, TAKE_BACK, amount=(START + 1) * DOLLAR), "INSUFFICIENT_CASH"),
        (lambda s, a: s.vault_action(a, TAKE_BACK, id=77, amount=1), "INSUFFICIENT_TOKENS"),
        (lambda s, a: s.vault_action(a, TAKE_BACK_FREE, id=token_id(s.condition, YES), amount=0), "ZERO_AMOUNT"),
        (lambda s, a: s.vault_action(a, TAKE_BACK_FREE, amount=1), "INSUFFICIENT_TOKENS"),
        (
            lambda s, a: s.vault_action(a, TAKE_BACK_FREE, id=token_id(s.condition, YES), amount=11 * CONTRACT),
            "INSUFFICIENT_TOKENS",
        ),
        (lambda s, a: s.vault_action(a, 7, amount=1), "BAD_KIND"),
    ],
)
def test_an_action_that_cannot_be_is_skipped_with_its_reason(
    stage: Stage, alice: Person, make: Callable[..., object], reason: str
) -> None:
    assert stage.settle(make(stage, alice)).reasons == [reason]  # type: ignore[arg-type]
    assert holdings(stage, "alice") == {"alice": (START, START, START)}


def test_no_action_once_the_exit_is_effective(stage: Stage, alice: Person) -> None:
    stage.send(alice, "requestExit")
    assert not stage.settle(stage.vault_action(alice, WITHDRAW, amount=DOLLAR, nonce=1)).skips
    stage.pass_time(EXIT_DELAY_S)
    assert stage.settle(stage.vault_action(alice, WITHDRAW, amount=DOLLAR, nonce=2)).reasons == ["ACCOUNT_EXITED"]


# Contract wallets


@pytest.fixture
def wallet(stage: Stage) -> Person:
    """A contract wallet that dana's key signs for, funded like the others."""
    dana = person("dana")
    contract = stage.deploy("ContractWallet", dana.address)
    stage.fund(dana, free_sets=START * CONTRACT)
    for outcome in Outcome:
        stage.send(
            dana,
            "safeTransferFrom",
            dana.address,
            contract.address,
            token_id(stage.condition, outcome),
            START * CONTRACT,
            b"",
        )
    wallet = Person("wallet", dana.key, contract.address)
    stage.give(wallet, START * DOLLAR)
    stage.send(wallet, "deposit", START * DOLLAR)
    for outcome in Outcome:
        stage.send(wallet, "depositTokens", token_id(stage.condition, outcome), START * CONTRACT)
    return wallet


@pytest.mark.parametrize("scheme", [OrderScheme.POLYMARKET_V2, OrderScheme.NATIVE])
def test_a_contract_wallet_trades_what_it_approved(stage: Stage, alice: Person, wallet: Person, scheme: OrderScheme) -> None:
    fields = {"signature_type": 3} if scheme is OrderScheme.POLYMARKET_V2 else {}
    order = stage.order(wallet, SELL, YES, 5_000, scheme=scheme, sign=False, **fields)
    buy = stage.leg(stage.order(alice, BUY, YES, 5_000))
    assert stage.settle(stage.fill(buy, stage.leg(order), 5_000)).reasons == ["NOT_APPROVED"]
    stage.send(alice, "approveOrder", bytes.fromhex(order.digest[2:]))
    assert stage.settle(stage.fill(buy, stage.leg(order), 5_000)).reasons == ["NOT_APPROVED"]
    receipt = stage.send(wallet, "approveOrder", bytes.fromhex(order.digest[2:]))
    assert stage.events(receipt, "OrderApproved")[0]["wallet"] == wallet.address
    assert not stage.settle(stage.fill(buy, stage.leg(order), 5_000)).skips
    assert stage.cash(wallet) == 1_025 * DOLLAR


def test_anybody_may_ask_a_contract_wallet_for_its_yes(stage: Stage, alice: Person, wallet: Person) -> None:
    order = stage.order(wallet, SELL, YES, 5_000, signature_type=3)
    digest = bytes.fromhex(order.digest[2:])
    signature = bytes.fromhex(order.signature[2:])
    stage.send(alice, "approveOrderFor", wallet.address, digest, signature)
    buy = stage.leg(stage.order(alice, BUY, YES, 5_000))
    assert not stage.settle(stage.fill(buy, stage.leg(order), 5_000)).skips
    other = stage.order(wallet, SELL, YES, 1, signature_type=3)
    expect_revert(
        "SignatureRefused",
        lambda: stage.send(
            alice,
            "approveOrderFor",
            stage.deploy("ContractWallet", alice.address).address,
            bytes.fromhex(other.digest[2:]),
            bytes.fromhex(other.signature[2:]),
        ),
    )


def test_a_contract_wallet_withdraws_by_an_approved_action(stage: Stage, wallet: Person) -> None:
    action = stage.vault_action(wallet, WITHDRAW, amount=DOLLAR, sign=False)
    digest = vault_action_digest(stage.domain(OrderScheme.NATIVE), action.action)
    stage.send(wallet, "approveOrder", digest)
    assert not stage.settle(action).skips
    assert stage.settle(replace(action, number=stage.next())).reasons == ["NONCE_USED"]


def test_an_approval_does_not_serve_v1(stage: Stage, alice: Person, wallet: Person) -> None:
    """V1 has no contract signatures; crafted flags must not open one."""
    from bridge.settlement import encode_operations

    order = stage.order(wallet, SELL, YES, 5_000, scheme=OrderScheme.POLYMARKET_V1)
    stage.send(wallet, "approveOrder", bytes.fromhex(order.digest[2:]))
    buy = stage.leg(stage.order(alice, BUY, YES, 5_000))
    encoded = bytearray(encode_operations([stage.fill(buy, stage.leg(order), 5_000)])[:-64])
    record = encoded.index(bytes.fromhex(order.maker[2:])) - 18
    encoded[record] |= 1 << 5
    assert stage.settle_bytes(bytes(encoded)).reasons == ["DIALECT_OFF"]


# Receivers

REVERT, WRONG_ANSWER, BURN_GAS, RETURN_BOMB, REENTER = 1, 2, 3, 4, 5


@pytest.mark.parametrize("mode", [REVERT, WRONG_ANSWER, BURN_GAS, RETURN_BOMB])
def test_tokens_that_a_receiver_refuses_stay_in_its_vault(stage: Stage, hostile: Contract, mode: int) -> None:
    misbehave(stage, hostile, mode)
    send = stage.pool_action(PoolAction.SEND_TOKENS, SIZE, outcome=YES, to=hostile.address)
    settled = stage.settle(send, replace(stage.pool_action(PoolAction.SPLIT, CONTRACT), number=send.number + 1))
    assert not settled.skips
    assert settled.gas < 500_000
    assert stage.free(hostile.address, YES) == 0
    assert stage.vault(hostile.address, YES) == SIZE
    assert stage.events(settled.receipt, "DeliveryRefused")[0]["wallet"] == hostile.address


@pytest.mark.parametrize("mode", [REVERT, WRONG_ANSWER, BURN_GAS, RETURN_BOMB])
def test_a_withdrawal_that_a_receiver_refuses_is_skipped(stage: Stage, alice: Person, hostile: Contract, mode: int) -> None:
    misbehave(stage, hostile, mode)
    withdraw = stage.vault_action(alice, WITHDRAW, id=token_id(stage.condition, YES), amount=SIZE, to=hostile.address)
    assert stage.settle(withdraw).reasons == ["RECEIVER_REFUSED"]
    assert holdings(stage, "alice") == {"alice": (START, START, START)}


def test_a_friendly_contract_receives_free_tokens(stage: Stage, hostile: Contract) -> None:
    send = stage.pool_action(PoolAction.SEND_TOKENS, SIZE, outcome=YES, to=hostile.address)
    assert not stage.settle(send).skips
    assert stage.free(hostile.address, YES) == SIZE


def test_our_lack_of_gas_is_not_the_receivers_refusal(stage: Stage, hostile: Contract) -> None:
    from bridge.settlement import settle_batch_calldata

    send = stage.pool_action(PoolAction.SEND_TOKENS, SIZE, outcome=YES, to=hostile.address)
    calldata = settle_batch_calldata(send.number, [send])
    expect_revert("InsufficientGas", lambda: stage.settle_raw(calldata, gas=200_000))


@pytest.mark.parametrize("mode", [0, REVERT, BURN_GAS, REENTER])
def test_a_contract_with_free_delivery_cannot_hurt_its_group(
    stage: Stage, alice: Person, bob: Person, wallet: Person, hostile: Contract, mode: int
) -> None:
    """The taker's words are written before a maker's code runs and read back after it."""
    code = stage.node.call("eth_getCode", hostile.address, "latest")
    stage.node.call("anvil_setCode", wallet.address, code)
    inner = bytes.fromhex(stage.venue.encode_abi("deposit", args=[7 * DOLLAR])[2:])
    stage.give(wallet, 7 * DOLLAR)
    delivery = stage.vault_action(wallet, SET_DELIVERY, amount=1, sign=False)
    stage.send(wallet, "approveOrder", vault_action_digest(stage.domain(OrderScheme.NATIVE), delivery.action))
    assert not stage.settle(delivery).skips
    misbehave(stage, stage.web3.eth.contract(abi=hostile.abi, address=wallet.address), mode, stage.venue.address, inner)
    bid = stage.order(wallet, BUY, YES, 5_000, sign=False, signature_type=3)
    stage.send(wallet, "approveOrder", bytes.fromhex(bid.digest[2:]))
    sell = stage.leg(stage.order(alice, SELL, YES, 4_000, 2 * SIZE))
    makers = [stage.leg(bid), stage.leg(stage.order(bob, BUY, YES, 5_000))]
    settled = stage.settle(*stage.fills(*((sell, maker, 5_000) for maker in makers)))
    assert not settled.skips
    assert holdings(stage, "alice", "bob") == {"alice": (1_050, 900, START), "bob": (975, 1_050, START)}
    delivered = mode in {0, REENTER}
    assert stage.free(wallet, YES) == (SIZE if delivered else 0)
    assert stage.vault(wallet, YES) == START * CONTRACT + (0 if delivered else SIZE)
    assert stage.cash(wallet) == 975 * DOLLAR + (7 * DOLLAR if mode == REENTER else 0)


def test_a_receiver_cannot_run_the_batch_again(stage: Stage, hostile: Contract) -> None:
    """Even if the operator is a contract that receives tokens."""
    from bridge.settlement import settle_batch_calldata

    venue = stage.deploy_venue(operator=hostile.address, salt="0x" + "01" * 32)
    stage.overrides = {}
    mine, stage.venue = stage.venue, venue
    try:
        stage.condition, before = stage.prepare_as(hostile.address, "0x" + "55" * 32), stage.condition
        stage.fund_pool(sets=100 * CONTRACT)
        send = stage.pool_action(PoolAction.SEND_TOKENS, SIZE, outcome=YES, to=hostile.address)
        calldata = settle_batch_calldata(send.number, [send])
        misbehave(stage, hostile, REENTER, venue.address, calldata)
        stage.transact(hostile.address, venue.address, "0x" + calldata.hex())
        assert stage.view("reentered", contract=hostile) is False
        assert stage.next() == send.number + 1
        assert stage.free(hostile.address, YES) == SIZE
    finally:
        stage.venue, stage.condition = mine, before


def test_only_the_venue_delivers(stage: Stage, alice: Person) -> None:
    expect_revert(
        "NotSelf",
        lambda: stage.send(alice, "deliver", alice.address, alice.address, token_id(stage.condition, YES), CONTRACT),
    )
