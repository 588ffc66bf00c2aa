"""Money in, free halves, leaving, and cancelling: everything a wallet does without the operator."""

import pytest
from eth_account import Account

from bridge.settlement import token_id
from offchain_book.engine.operations import Outcome, PoolAction, TokenSide, VaultActionKind
from offchain_book.signatures import keccak256
from tests.contracts.checks import START, assert_conserved, holdings
from tests.contracts.stage import CONTRACT, DOLLAR, Person, Stage, expect_revert, person
from tests.contracts.terms import EXIT_DELAY_S

BUY, SELL = TokenSide.BUY, TokenSide.SELL
YES, NO = Outcome.YES, Outcome.NO
REFERENCE = bytes(31) + b"\x07"
ZERO = "0x" + "00" * 20


def usd(stage: Stage, who: Person | str) -> int:
    return int(stage.view("balanceOf", stage.address(who), contract=stage.usd))


def condition(stage: Stage) -> bytes:
    return bytes.fromhex(stage.condition[2:])


def ids(stage: Stage) -> list[int]:
    return [token_id(stage.condition, outcome) for outcome in Outcome]


# Deposits


def test_a_deposit_credits_the_caller_and_is_numbered(stage: Stage) -> None:
    dana = person("dana")
    stage.give(dana, 10 * DOLLAR)
    index = stage.view("depositCount")
    for i, amount in enumerate((3 * DOLLAR, 4 * DOLLAR)):
        (event,) = stage.events(stage.send(dana, "deposit", amount), "Deposited")
        assert event == {
            "index": index + i,
            "wallet": dana.address,
            "accountReference": bytes(32),
            "from": dana.address,
            "id": 0,
            "amount": amount,
        }
    assert stage.cash(dana) == 7 * DOLLAR
    assert stage.view("depositCount") == index + 2


def test_a_deposit_for_a_custodial_account_credits_the_pool(stage: Stage) -> None:
    dana = person("dana")
    stage.give(dana, 10 * DOLLAR)
    (event,) = stage.events(stage.send(dana, "depositFor", REFERENCE, 10 * DOLLAR), "Deposited")
    assert (event["wallet"], event["accountReference"], event["from"]) == (stage.view("pool"), REFERENCE, dana.address)
    assert holdings(stage, "pool") == {"pool": (1_010, START, START)}
    expect_revert("MissingAccountReference", lambda: stage.send(dana, "depositFor", bytes(32), 1))
    expect_revert("MissingAccountReference", lambda: stage.send(dana, "depositTokensFor", bytes(32), 1, 1))


def test_tokens_enter_the_vault_as_a_burn_and_the_standards_events_sum_to_the_balance(stage: Stage, alice: Person) -> None:
    yes = token_id(stage.condition, YES)
    receipt = stage.send(alice, "depositTokens", yes, 4 * CONTRACT)
    (burn,) = stage.events(receipt, "TransferSingle")
    assert (burn["from"], burn["to"], burn["id"], burn["value"]) == (alice.address, ZERO, yes, 4 * CONTRACT)
    assert (stage.free(alice, YES), stage.vault(alice, YES)) == (6 * CONTRACT, 1_004 * CONTRACT)
    (event,) = stage.events(receipt, "Deposited")
    assert (event["id"], event["amount"], event["wallet"]) == (yes, 4 * CONTRACT, alice.address)
    receipt = stage.send(alice, "depositTokensFor", REFERENCE, yes, 6 * CONTRACT)
    assert stage.events(receipt, "Deposited")[0]["wallet"] == stage.venue.address
    assert holdings(stage, "pool") == {"pool": (START, 1_006, START)}
    assert_conserved(stage)


def test_no_deposit_of_more_than_is_free_or_of_nothing(stage: Stage, alice: Person) -> None:
    yes = token_id(stage.condition, YES)
    expect_revert("ERC1155InsufficientBalance", lambda: stage.send(alice, "depositTokens", yes, 11 * CONTRACT))
    expect_revert("ZeroAmount", lambda: stage.send(alice, "depositTokens", yes, 0))
    expect_revert("ZeroAmount", lambda: stage.send(alice, "deposit", 0))
    expect_revert("ERC20InsufficientBalance", lambda: stage.send(alice, "deposit", 1))


def permit(stage: Stage, who: Person, amount: int, deadline: int) -> tuple[int, bytes, bytes]:
    typed = {
        "types": {
            "EIP712Domain": [
                {"name": "name", "type": "string"},
                {"name": "version", "type": "string"},
                {"name": "chainId", "type": "uint256"},
                {"name": "verifyingContract", "type": "address"},
            ],
            "Permit": [
                {"name": "owner", "type": "address"},
                {"name": "spender", "type": "address"},
                {"name": "value", "type": "uint256"},
                {"name": "nonce", "type": "uint256"},
                {"name": "deadline", "type": "uint256"},
            ],
        },
        "primaryType": "Permit",
        "domain": {
            "name": stage.view("name", contract=stage.usd),
            "version": "1",
            "chainId": 31_337,
            "verifyingContract": stage.usd.address,
        },
        "message": {
            "owner": who.address,
            "spender": stage.venue.address,
            "value": amount,
            "nonce": stage.view("nonces", who.address, contract=stage.usd),
            "deadline": deadline,
        },
    }
    signed = Account.sign_typed_data(who.key, full_message=typed)
    return signed.v, signed.r.to_bytes(32, "big"), signed.s.to_bytes(32, "big")


def test_a_permit_replaces_the_approval_even_when_somebody_else_used_it_first(stage: Stage) -> None:
    dana, thief = person("dana"), person("thief")
    stage.send(dana, "faucet", dana.address, 20 * DOLLAR, contract=stage.usd)
    deadline = stage.now() + 1_000
    v, r, s = permit(stage, dana, 10 * DOLLAR, deadline)
    stage.send(dana, "depositWithPermit", 10 * DOLLAR, deadline, v, r, s)
    assert stage.cash(dana) == 10 * DOLLAR
    v, r, s = permit(stage, dana, 10 * DOLLAR, deadline)
    stage.send(thief, "permit", dana.address, stage.venue.address, 10 * DOLLAR, deadline, v, r, s, contract=stage.usd)
    stage.send(dana, "depositWithPermit", 10 * DOLLAR, deadline, v, r, s)
    assert stage.cash(dana) == 20 * DOLLAR
    expect_revert("ERC20InsufficientAllowance", lambda: stage.send(dana, "depositWithPermit", DOLLAR, deadline, v, r, s))


def test_anybody_may_send_a_wallets_permit_and_the_money_is_in_the_wallets_own_vault(stage: Stage) -> None:
    dana, thief = person("dana"), person("thief")
    stage.send(dana, "faucet", dana.address, 20 * DOLLAR, contract=stage.usd)
    deadline = stage.now() + 100
    v, r, s = permit(stage, dana, 10 * DOLLAR, deadline)
    receipt = stage.send(thief, "depositWithPermitOf", dana.address, 10 * DOLLAR, deadline, v, r, s)
    (event,) = stage.events(receipt, "Deposited")
    assert (event["wallet"], event["from"], event["amount"]) == (dana.address, dana.address, 10 * DOLLAR)
    assert (stage.cash(dana), stage.cash(thief)) == (10 * DOLLAR, 0)


def test_a_stranger_moves_nothing_by_an_allowance_alone_nor_by_a_permit_of_another_amount(stage: Stage) -> None:
    dana, thief = person("dana"), person("thief")
    stage.send(dana, "faucet", dana.address, 20 * DOLLAR, contract=stage.usd)
    deadline = stage.now() + 100
    v, r, s = permit(stage, dana, 10 * DOLLAR, deadline)
    more = (dana.address, 11 * DOLLAR, deadline, v, r, s)
    expect_revert("PermitRefused", lambda: stage.send(thief, "depositWithPermitOf", *more))
    stage.send(dana, "approve", stage.venue.address, 100 * DOLLAR, contract=stage.usd)
    for signature in ((0, b"\0" * 32, b"\0" * 32), (v, r, b"\1" * 32)):
        call = (dana.address, 10 * DOLLAR, deadline, *signature)
        expect_revert("PermitRefused", lambda call=call: stage.send(thief, "depositWithPermitOf", *call))
    stage.send(thief, "depositWithPermitOf", dana.address, 10 * DOLLAR, deadline, v, r, s)
    again = (dana.address, 10 * DOLLAR, deadline, v, r, s)
    expect_revert("PermitRefused", lambda: stage.send(thief, "depositWithPermitOf", *again))
    assert stage.cash(dana) == 10 * DOLLAR


def test_what_arrives_is_credited_not_what_was_asked(stage: Stage) -> None:
    odd = stage.deploy("OddCollateral")
    mine, my_usd = stage.venue, stage.usd
    stage.venue, stage.usd = stage.deploy_venue(collateral=odd.address), odd
    try:
        dana = person("dana")
        stage.give(dana, 100 * DOLLAR)
        stage.send(dana, "setFee", 100, contract=odd)
        (event,) = stage.events(stage.send(dana, "deposit", 100 * DOLLAR), "Deposited")
        assert event["amount"] == stage.cash(dana) == usd(stage, stage.venue.address) == 99 * DOLLAR
    finally:
        stage.venue, stage.usd = mine, my_usd


def test_the_venue_takes_in_no_more_than_a_cash_word_holds(stage: Stage) -> None:
    odd = stage.deploy("OddCollateral")
    mine, my_usd = stage.venue, stage.usd
    stage.venue, stage.usd = stage.deploy_venue(collateral=odd.address), odd
    try:
        dana = person("dana")
        stage.give(dana, 2**97)
        stage.send(dana, "deposit", 2**96 - 1)
        expect_revert("CollateralLimitExceeded", lambda: stage.send(dana, "deposit", 1))
    finally:
        stage.venue, stage.usd = mine, my_usd


# Free half


def test_sets_are_split_and_merged_in_the_free_half(stage: Stage) -> None:
    dana = person("dana")
    stage.give(dana, 100 * DOLLAR)
    receipt = stage.send(dana, "split", condition(stage), 100 * CONTRACT)
    (batch,) = stage.events(receipt, "TransferBatch")
    assert (batch["from"], batch["to"], list(batch["ids"])) == (ZERO, dana.address, ids(stage))
    assert [stage.free(dana, outcome) for outcome in Outcome] == [100 * CONTRACT] * 2
    stage.send(dana, "merge", condition(stage), 60 * CONTRACT)
    assert usd(stage, dana) == 60 * DOLLAR
    assert [stage.free(dana, outcome) for outcome in Outcome] == [40 * CONTRACT] * 2
    expect_revert("ERC1155InsufficientBalance", lambda: stage.send(dana, "merge", condition(stage), 41 * CONTRACT))
    expect_revert("ZeroAmount", lambda: stage.send(dana, "merge", condition(stage), 0))
    expect_revert("WrongConditionState", lambda: stage.send(dana, "split", bytes(32), 1))


def test_free_tokens_move_like_any_erc1155(stage: Stage, alice: Person, bob: Person) -> None:
    yes, no = ids(stage)
    stage.send(alice, "safeTransferFrom", alice.address, bob.address, yes, CONTRACT, b"")
    stage.send(alice, "safeBatchTransferFrom", alice.address, bob.address, [yes, no], [CONTRACT, CONTRACT], b"")
    assert (stage.free(bob, YES), stage.free(bob, NO)) == (12 * CONTRACT, 11 * CONTRACT)
    expect_revert(
        "ERC1155MissingApprovalForAll",
        lambda: stage.send(bob, "safeTransferFrom", alice.address, bob.address, yes, 1, b""),
    )
    stage.send(alice, "setApprovalForAll", bob.address, True)
    stage.send(bob, "safeTransferFrom", alice.address, bob.address, yes, CONTRACT, b"")
    assert stage.view("balanceOfBatch", [alice.address, bob.address], [yes, yes]) == (7 * CONTRACT, 13 * CONTRACT)
    expect_revert(
        "ERC1155InsufficientBalance",
        lambda: stage.send(alice, "safeTransferFrom", alice.address, bob.address, yes, 8 * CONTRACT, b""),
    )
    assert stage.view("supportsInterface", bytes.fromhex("d9b67a26")) is True
    assert stage.view("supportsInterface", bytes.fromhex("ffffffff")) is False
    assert_conserved(stage)


def test_tokens_cannot_be_sent_to_the_venue_itself(stage: Stage, alice: Person) -> None:
    yes = token_id(stage.condition, YES)
    expect_revert(
        "ERC1155InvalidReceiver",
        lambda: stage.send(alice, "safeTransferFrom", alice.address, stage.venue.address, yes, 1, b""),
    )


@pytest.mark.parametrize("id_", [0, 1, 2, 3, 7])
def test_a_small_id_reaches_no_other_word(stage: Stage, alice: Person, bob: Person, id_: int) -> None:
    """Keys are tagged: ids chosen like mapping slots find nothing to move."""
    assert stage.view("balanceOf", alice.address, id_) == 0
    assert stage.view("vaultBalanceOf", alice.address, id_) == 0
    expect_revert(
        "ERC1155InsufficientBalance",
        lambda: stage.send(alice, "safeTransferFrom", alice.address, bob.address, id_, 1, b""),
    )


def test_metadata_names_the_outcome_and_the_condition(stage: Stage) -> None:
    assert stage.view("uri", token_id(stage.condition, NO)) == (
        f'data:application/json,{{"name":"NO of {stage.condition}","decimals":6}}'
    )


# Leaving


def test_a_wallet_leaves_with_everything_while_the_operator_is_off(stage: Stage, alice: Person) -> None:
    receipt = stage.send(alice, "requestExit")
    effective = stage.events(receipt, "ExitRequested")[0]["effectiveAt"]
    assert stage.view("exitAt", alice.address) == effective == stage.now() + EXIT_DELAY_S
    assert expect_revert("ExitNotReady", lambda: stage.send(alice, "exit", ids(stage))).values == (effective,)
    stage.pass_time(EXIT_DELAY_S - 2)
    expect_revert("ExitNotReady", lambda: stage.send(alice, "exit", ids(stage)))
    stage.pass_time(2)
    (event,) = stage.events(stage.send(alice, "exit", ids(stage)), "Exited")
    assert (event["cash"], list(event["ids"]), event["finished"]) == (1_000 * DOLLAR, ids(stage), True)
    assert usd(stage, alice) == 1_000 * DOLLAR
    assert [stage.free(alice, outcome) for outcome in Outcome] == [1_010 * CONTRACT] * 2
    assert holdings(stage, "alice") == {"alice": (0, 0, 0)}
    stage.send(alice, "merge", condition(stage), 1_010 * CONTRACT)
    assert usd(stage, alice) == 2_010 * DOLLAR


def test_an_exit_may_be_taken_in_parts_and_the_last_resets_the_account(stage: Stage, alice: Person) -> None:
    stage.send(alice, "requestExit")
    stage.pass_time(EXIT_DELAY_S)
    assert stage.events(stage.send(alice, "exit", []), "Exited")[0]["finished"] is False
    assert usd(stage, alice) == 1_000 * DOLLAR
    yes, no = ids(stage)
    assert stage.events(stage.send(alice, "exit", [yes, yes]), "Exited")[0]["finished"] is False
    assert stage.free(alice, YES) == 1_010 * CONTRACT
    expect_revert("AccountExiting", lambda: stage.send(alice, "depositTokens", yes, 1))
    assert stage.events(stage.send(alice, "exit", [no]), "Exited")[0]["finished"] is True
    assert stage.view("exitAt", alice.address) == 0
    stage.send(alice, "depositTokens", yes, 1)
    expect_revert("ExitNotReady", lambda: stage.send(alice, "exit", [yes]))


def test_an_exiting_account_trades_on_until_then_but_takes_no_deposits(stage: Stage, alice: Person, bob: Person) -> None:
    stage.send(alice, "requestExit")
    expect_revert("ExitAlreadyRequested", lambda: stage.send(alice, "requestExit"))
    stage.give(alice, DOLLAR)
    expect_revert("AccountExiting", lambda: stage.send(alice, "deposit", DOLLAR))
    buy, sell = stage.leg(stage.order(alice, BUY, YES, 5_000)), stage.leg(stage.order(bob, SELL, YES, 5_000))
    assert not stage.settle(stage.fill(buy, sell, 5_000)).skips


def test_nobody_exits_for_somebody_else(stage: Stage, alice: Person, bob: Person) -> None:
    stage.send(alice, "requestExit")
    stage.pass_time(EXIT_DELAY_S)
    expect_revert("ExitNotReady", lambda: stage.send(bob, "exit", ids(stage)))


def test_collateral_that_refuses_to_pay_holds_back_no_tokens(stage: Stage) -> None:
    odd = stage.deploy("OddCollateral")
    mine, my_usd, my_condition = stage.venue, stage.usd, stage.condition
    stage.venue, stage.usd = stage.deploy_venue(collateral=odd.address), odd
    try:
        stage.condition = stage.prepare("0x" + "66" * 32)
        dana = stage.fund(person("dana"), cash=10 * DOLLAR, sets=10 * CONTRACT)
        stage.send(dana, "setBlocked", dana.address, True, contract=odd)
        refused = stage.vault_action(dana, VaultActionKind.WITHDRAW, amount=DOLLAR)
        assert stage.settle(refused).reasons == ["TRANSFER_FAILED"]
        stage.fund_pool(cash=10 * DOLLAR)
        send = stage.pool_action(PoolAction.SEND_CASH, DOLLAR, to=dana.address)
        assert stage.settle(send).reasons == ["TRANSFER_FAILED"]
        assert (stage.cash(dana), stage.cash("pool")) == (10 * DOLLAR, 10 * DOLLAR)
        stage.send(dana, "requestExit")
        stage.pass_time(EXIT_DELAY_S)
        (event,) = stage.events(stage.send(dana, "exit", ids(stage)), "Exited")
        assert (event["cash"], event["finished"]) == (0, False)
        assert stage.free(dana, YES) == 10 * CONTRACT
        stage.send(dana, "setBlocked", dana.address, False, contract=odd)
        (event,) = stage.events(stage.send(dana, "exit", []), "Exited")
        assert (event["cash"], event["finished"]) == (10 * DOLLAR, True)
    finally:
        stage.venue, stage.usd, stage.condition = mine, my_usd, my_condition


def test_a_contract_that_takes_no_tokens_still_exits_with_its_cash(stage: Stage) -> None:
    hostile = stage.deploy("HostileReceiver")
    wallet = Person("hostile", person("dana").key, hostile.address)
    stage.give(wallet, 10 * DOLLAR)
    stage.send(wallet, "deposit", 10 * DOLLAR)
    stage.send("admin", "set", 1, hostile.address, b"", contract=hostile)
    stage.settle(stage.pool_action(PoolAction.SEND_TOKENS, CONTRACT, outcome=YES, to=hostile.address))
    stage.send(wallet, "requestExit")
    stage.pass_time(EXIT_DELAY_S)
    with pytest.raises(Exception, match="0x" + keccak256(b"Refused()")[:4].hex()):
        stage.send(wallet, "exit", ids(stage))
    assert stage.events(stage.send(wallet, "exit", []), "Exited")[0]["cash"] == 10 * DOLLAR
    stage.send("admin", "set", 0, hostile.address, b"", contract=hostile)
    assert stage.events(stage.send(wallet, "exit", ids(stage)), "Exited")[0]["finished"] is True


# Watermarks


def test_a_watermark_only_rises_and_an_announced_time_never_moves(stage: Stage, alice: Person) -> None:
    (event,) = stage.events(stage.send(alice, "setMinNonce", 5), "MinNonceSet")
    assert (event["minNonce"], event["effectiveAt"]) == (5, stage.now() + EXIT_DELAY_S)
    expect_revert("WatermarkPending", lambda: stage.send(alice, "setMinNonce", 6))
    assert stage.view("watermarksOf", alice.address) == (0, 0)
    stage.pass_time(EXIT_DELAY_S)
    assert stage.view("watermarksOf", alice.address) == (5, 0)
    assert expect_revert("WatermarkNotRaised", lambda: stage.send(alice, "setMinNonce", 5)).values == (5, 5)
    stage.send(alice, "setMinNonce", 6)
    assert stage.view("watermarksOf", alice.address) == (5, 0)
    expect_revert("WatermarkTooHigh", lambda: stage.send(stage_person("x"), "setMinNonce", 2**48))


def stage_person(name: str) -> Person:
    return person(name)


def test_the_two_watermarks_do_not_disturb_each_other(stage: Stage, alice: Person) -> None:
    stamp = stage.now() * 1000
    stage.send(alice, "setMinNonce", 2**48 - 1)
    (event,) = stage.events(stage.send(alice, "cancelBefore", stamp), "CancelledBefore")
    assert (event["timestampMs"], event["effectiveAt"]) == (stamp, stage.now() + EXIT_DELAY_S)
    stage.pass_time(EXIT_DELAY_S)
    assert stage.view("watermarksOf", alice.address) == (2**48 - 1, stamp)
    assert stage.cash(alice) == 1_000 * DOLLAR
    far = (stage.now() + 2 * EXIT_DELAY_S) * 1000
    expect_revert("WatermarkTooHigh", lambda: stage.send(alice, "cancelBefore", far))


def test_watermarks_survive_an_exit(stage: Stage, alice: Person) -> None:
    stage.send(alice, "setMinNonce", 9)
    stage.send(alice, "requestExit")
    stage.pass_time(EXIT_DELAY_S)
    stage.send(alice, "exit", ids(stage))
    assert stage.view("watermarksOf", alice.address) == (9, 0)
