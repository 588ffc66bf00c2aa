"""Roles, pause, resolution, deployment: who may do what, how fast, and what nobody can stop."""

from collections.abc import Callable, Iterator

import pytest

from bridge.settlement import condition_id, token_id
from offchain_book.engine.operations import OrderScheme, Outcome, PoolAction, TokenSide, VaultActionKind
from offchain_book.signatures import native_domain
from tests.contracts.checks import assert_conserved, holdings
from tests.contracts.stage import CHAIN_ID, CONTRACT, DOLLAR, Person, Reverted, Stage, expect_revert, person
from tests.contracts.terms import EXIT_DELAY_S, OUTFLOW_WINDOW_S, QUESTION, SALT, SETTLEMENT_DEADLINE_S

BUY, SELL = TokenSide.BUY, TokenSide.SELL
YES, NO = Outcome.YES, Outcome.NO
OPERATOR, ORACLE, REVIEWER, GUARDIAN, ADMIN = range(5)
DAY = 86_400
MAX_PAUSE_S = 7 * DAY
PAUSE_GAP_S = DAY


def condition(stage: Stage) -> bytes:
    return bytes.fromhex(stage.condition[2:])


# Deployment


@pytest.mark.parametrize(
    ("overrides", "error"),
    [
        ({"compatibleChainId": 137}, "ForbiddenChainId"),
        ({"exitDelay": 90}, "ExitDelayTooShort"),
        ({"exitDelay": 366 * DAY}, "DelayTooLong"),
        ({"poolOutflowWindow": 0}, "BadOutflowLimit"),
        ({"poolOutflowLimit": 2**256 - 1}, "BadOutflowLimit"),
        ({"poolOutflowLimit": 2**86 // OUTFLOW_WINDOW_S + 1}, "BadOutflowLimit"),
        ({"guardian": "0x" + "00" * 20}, "ZeroAddress"),
    ],
)
def test_a_bad_configuration_is_refused(stage: Stage, overrides: dict[str, object], error: str) -> None:
    expect_revert(error, lambda: stage.deploy_venue(**overrides))


def test_collateral_without_six_decimals_is_refused(stage: Stage) -> None:
    with pytest.raises(Reverted):
        stage.deploy_venue(collateral=stage.roles["admin"].address)


def test_the_configuration_can_be_read_back(stage: Stage) -> None:
    found = stage.view("configuration")
    wanted = stage.configuration()
    assert found[0].lower() == wanted["collateral"].lower()
    assert [address.lower() for address in found[1:6]] == [
        stage.roles[name].address.lower() for name in ("operator", "oracle", "reviewer", "guardian", "admin")
    ]
    assert found[6:9] == (EXIT_DELAY_S, SETTLEMENT_DEADLINE_S, 30)
    assert found[9] == bytes.fromhex(SALT[2:])


def test_the_runtime_stays_below_22_kb(stage: Stage) -> None:
    assert stage.artifacts["Venue"].deployed_size < 22 * 1024


def test_condition_and_token_ids_are_derived_alike_in_python(stage: Stage) -> None:
    assert stage.condition == condition_id(CHAIN_ID, stage.venue.address, SALT, QUESTION)
    assert stage.condition.endswith("00")
    assert token_id(stage.condition, NO) == int(stage.condition, 16) + 2


def test_a_dialect_whose_address_is_zero_is_off(stage: Stage, alice: Person, bob: Person) -> None:
    off = stage.deploy_venue(compatibleV1="0x" + "00" * 20, compatibleV2="0x" + "00" * 20)
    mine, stage.venue = stage.venue, off
    try:
        assert stage.view("domainSeparators")[1:] == (bytes(32), bytes(32))
        buy, sell = stage.leg(stage.order(alice, BUY, YES, 5_000)), stage.leg(stage.order(bob, SELL, YES, 5_000))
        assert stage.settle(stage.fill(buy, sell, 5_000)).reasons == ["TAKER_DIALECT_OFF"]
    finally:
        stage.venue = mine


def test_domain_separators_are_those_that_wallets_sign(stage: Stage) -> None:
    assert stage.view("domainSeparators") == tuple(stage.domain(scheme).separator for scheme in OrderScheme)


@pytest.fixture
def move_to_chain(stage: Stage) -> Iterator[Callable[[int], None]]:
    """Change the chain's id under the venue, as a fork of the chain would."""
    yield lambda chain_id: stage.node.call("anvil_setChainId", chain_id)
    stage.node.call("anvil_setChainId", CHAIN_ID)


def test_mainnets_chain_id_is_refused(stage: Stage, move_to_chain: Callable[[int], None]) -> None:
    move_to_chain(137)
    assert expect_revert("ForbiddenChainId", stage.deploy_venue).values == (137,)


def test_after_a_fork_the_native_domain_follows_and_the_dialects_are_off(
    stage: Stage, alice: Person, bob: Person, move_to_chain: Callable[[int], None]
) -> None:
    old = stage.order(bob, SELL, YES, 5_000, scheme=OrderScheme.NATIVE)
    v2 = stage.order(bob, SELL, YES, 5_000)
    move_to_chain(4_242)
    domain = native_domain(4_242, stage.venue.address)
    assert stage.view("domainSeparators") == (domain.separator, bytes(32), bytes(32))
    buy = stage.leg(stage.order(alice, BUY, YES, 5_000, scheme=OrderScheme.NATIVE, domain=domain))
    new = stage.order(bob, SELL, YES, 5_000, scheme=OrderScheme.NATIVE, nonce=1, domain=domain)
    for order, reasons in ((old, ["BAD_SIGNATURE"]), (v2, ["DIALECT_OFF"]), (new, [])):
        assert stage.settle(stage.fill(buy, stage.leg(order), 5_000)).reasons == reasons


# Roles


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("prepareCondition", (bytes(32),)),
        ("report", (bytes(32), 1)),
        ("confirm", (bytes(32), 1)),
        ("reject", (bytes(32),)),
        ("pause", ()),
        ("unpause", ()),
        ("proposeRole", (0, "0x" + "11" * 20)),
        ("cancelRoleProposal", (0,)),
        ("publishLiabilities", (bytes(32), 1)),
    ],
)
def test_a_stranger_has_no_role(stage: Stage, alice: Person, function: str, arguments: tuple[object, ...]) -> None:
    expect_revert("NotRole", lambda: stage.send(alice, function, *arguments))


def test_a_new_operator_needs_the_admin_time_and_its_own_consent(stage: Stage, alice: Person, bob: Person) -> None:
    (event,) = stage.events(stage.send("admin", "proposeRole", OPERATOR, alice.address), "RoleProposed")
    ready = event["readyAt"]
    assert ready == stage.now() + 2 * EXIT_DELAY_S
    assert expect_revert("ProposalNotReady", lambda: stage.send(alice, "acceptRole", OPERATOR)).values == (ready,)
    stage.pass_time(2 * EXIT_DELAY_S)
    expect_revert("NotRole", lambda: stage.send(bob, "acceptRole", OPERATOR))
    number = stage.next()
    stage.send(alice, "acceptRole", OPERATOR)
    assert stage.view("operator") == stage.view("holderOf", OPERATOR) == alice.address
    assert stage.next() == number
    split = stage.pool_action(PoolAction.SPLIT, CONTRACT)
    expect_revert("NotOperator", lambda: stage.settle(split))
    assert not stage.settle(split, sender=alice.address).skips
    expect_revert("NoProposal", lambda: stage.send(alice, "acceptRole", OPERATOR))


@pytest.mark.parametrize("role", [ORACLE, REVIEWER, GUARDIAN, ADMIN])
def test_every_role_can_be_passed_on(stage: Stage, alice: Person, role: int) -> None:
    stage.send("admin", "proposeRole", role, alice.address)
    assert stage.view("proposalOf", role)[0] == alice.address
    stage.pass_time(2 * EXIT_DELAY_S)
    stage.send(alice, "acceptRole", role)
    assert stage.view("holderOf", role) == alice.address


def test_admin_and_guardian_can_drop_a_proposal(stage: Stage, alice: Person) -> None:
    for who in ("admin", "guardian"):
        stage.send("admin", "proposeRole", OPERATOR, alice.address)
        stage.send(who, "cancelRoleProposal", OPERATOR)
        stage.pass_time(2 * EXIT_DELAY_S)
        expect_revert("NoProposal", lambda: stage.send(alice, "acceptRole", OPERATOR))
        expect_revert("NoProposal", lambda: stage.send("admin", "cancelRoleProposal", OPERATOR))


def test_liabilities_are_published_with_the_place_in_the_stream(stage: Stage) -> None:
    (event,) = stage.events(stage.send("operator", "publishLiabilities", b"\7" * 32, 5 * DOLLAR), "LiabilitiesPublished")
    assert event == {"root": b"\7" * 32, "totalMicros": 5 * DOLLAR, "nextOperation": stage.next()}


# Pause


def try_fill(stage: Stage, alice: Person, bob: Person) -> list[str]:
    buy, sell = stage.leg(stage.order(alice, BUY, YES, 5_000)), stage.leg(stage.order(bob, SELL, YES, 5_000))
    return stage.settle(stage.fill(buy, sell, 5_000)).reasons


def try_pool(stage: Stage) -> list[str]:
    return stage.settle(stage.pool_action(PoolAction.SPLIT, CONTRACT)).reasons


def test_a_pause_stops_the_pool_at_once_and_fills_one_deadline_later(stage: Stage, alice: Person, bob: Person) -> None:
    (event,) = stage.events(stage.send("guardian", "pause"), "Paused")
    assert event["fillsBlockedFrom"] == stage.now() + SETTLEMENT_DEADLINE_S
    assert try_pool(stage) == ["PAUSED"]
    assert try_fill(stage, alice, bob) == []
    assert stage.view("pauseState") == (True, False, event["until"])
    stage.pass_time(SETTLEMENT_DEADLINE_S)
    assert try_fill(stage, alice, bob) == ["PAUSED"]
    assert stage.view("pauseState") == (True, True, event["until"])


def test_a_pause_never_blocks_the_way_out(stage: Stage, alice: Person) -> None:
    stage.send("guardian", "pause")
    stage.pass_time(SETTLEMENT_DEADLINE_S)
    stage.send(alice, "merge", condition(stage), CONTRACT)
    stage.give(alice, DOLLAR)
    stage.send(alice, "deposit", DOLLAR)
    assert not stage.settle(stage.vault_action(alice, VaultActionKind.WITHDRAW, amount=DOLLAR)).skips
    stage.send(alice, "requestExit")
    stage.pass_time(EXIT_DELAY_S)
    ids = [token_id(stage.condition, outcome) for outcome in Outcome]
    assert stage.events(stage.send(alice, "exit", ids), "Exited")[0]["finished"] is True


def test_a_pause_ends_by_itself_and_the_next_needs_a_gap(stage: Stage, alice: Person, bob: Person) -> None:
    stage.send("guardian", "pause")
    until = stage.view("pauseState")[2]
    expect_revert("PauseNotAllowedBefore", lambda: stage.send("guardian", "pause"))
    stage.pass_time(MAX_PAUSE_S + SETTLEMENT_DEADLINE_S)
    assert try_pool(stage) == []
    assert try_fill(stage, alice, bob) == []
    reverted = expect_revert("PauseNotAllowedBefore", lambda: stage.send("guardian", "pause"))
    assert reverted.values == (until + PAUSE_GAP_S,)
    stage.pass_time(PAUSE_GAP_S)
    stage.send("guardian", "pause")
    assert try_pool(stage) == ["PAUSED"]


def test_a_pause_can_be_ended_early(stage: Stage, alice: Person, bob: Person) -> None:
    expect_revert("NotPaused", lambda: stage.send("guardian", "unpause"))
    stage.send("guardian", "pause")
    stage.pass_time(SETTLEMENT_DEADLINE_S)
    stage.send("guardian", "unpause")
    assert try_pool(stage) == []
    assert try_fill(stage, alice, bob) == []
    expect_revert("PauseNotAllowedBefore", lambda: stage.send("guardian", "pause"))


# Resolution


def test_resolution_takes_two_roles_and_happens_once(stage: Stage) -> None:
    expect_revert("PayoutOutOfRange", lambda: stage.send("oracle", "report", condition(stage), 1_000_001))
    expect_revert("WrongConditionState", lambda: stage.send("reviewer", "confirm", condition(stage), 1_000_000))
    stage.send("oracle", "report", condition(stage), 1_000_000)
    assert stage.view("conditionOf", condition(stage))[0] == 2
    expect_revert("WrongConditionState", lambda: stage.send("oracle", "report", condition(stage), 0))
    reverted = expect_revert("PayoutMismatch", lambda: stage.send("reviewer", "confirm", condition(stage), 0))
    assert reverted.values == (1_000_000, 0)
    stage.send("reviewer", "reject", condition(stage))
    stage.send("oracle", "report", condition(stage), 250_000)
    stage.send("reviewer", "confirm", condition(stage), 250_000)
    state, _, payout = stage.view("conditionOf", condition(stage))
    assert (state, payout) == (3, 250_000)
    for sender, function, arguments in (
        ("oracle", "report", (0,)),
        ("reviewer", "confirm", (250_000,)),
        ("reviewer", "reject", ()),
        ("operator", "prepareCondition", ()),
    ):
        subject = bytes.fromhex(QUESTION[2:]) if function == "prepareCondition" else condition(stage)
        expect_revert("WrongConditionState", lambda: stage.send(sender, function, subject, *arguments))  # noqa: B023


def test_a_condition_is_prepared_once(stage: Stage) -> None:
    expect_revert("WrongConditionState", lambda: stage.prepare(QUESTION))
    assert stage.prepare_as("admin", "0x" + "88" * 32) != stage.condition


def redeem_all(stage: Stage, who: Person | str) -> None:
    """Redeem both outcomes in a vault, the way the engine asks for it: one token and one amount an operation."""
    for nonce, outcome in enumerate((YES, NO)):
        token = token_id(stage.condition, outcome)
        held = stage.vault(who, outcome)
        if isinstance(who, str):
            stage.settle(stage.pool_action(PoolAction.REDEEM, held, outcome=outcome))
        else:
            stage.settle(stage.vault_action(who, VaultActionKind.REDEEM, id=token, amount=held, nonce=77 + nonce))


@pytest.mark.parametrize("payout", [0, 1_000_000, 333_333])
def test_redemption_pays_each_side_rounded_down_and_keeps_the_remainder(
    stage: Stage, alice: Person, bob: Person, carol: Person, payout: int
) -> None:
    stage.send(alice, "safeTransferFrom", alice.address, bob.address, token_id(stage.condition, YES), 1_234_567, b"")
    stage.send("oracle", "report", condition(stage), payout)
    stage.send("reviewer", "confirm", condition(stage), payout)
    free_yes, free_no = 10 * CONTRACT - 1_234_567, 10 * CONTRACT
    expected = free_yes * payout // 10**6 + free_no * (10**6 - payout) // 10**6
    (event,) = stage.events(stage.send(alice, "redeem", condition(stage)), "Redeemed")
    assert (event["yesAmount"], event["noAmount"], event["payout"]) == (free_yes, free_no, expected)
    assert stage.view("balanceOf", alice.address, contract=stage.usd) == expected
    expect_revert("ZeroAmount", lambda: stage.send(alice, "redeem", condition(stage)))
    for who in (alice, bob, carol):
        redeem_all(stage, who)
    for who in (bob, carol):
        stage.send(who, "redeem", condition(stage))
    redeem_all(stage, "pool")
    _, remainder, _ = stage.view("conditionOf", condition(stage))
    assert 0 <= remainder <= 16
    held = stage.view("balanceOf", stage.venue.address, contract=stage.usd)
    assert held == remainder + sum(stage.cash(who) for who in (alice, bob, carol, "pool"))
    assert holdings(stage, "alice")["alice"][1:] == (0, 0)


def test_no_sets_are_made_once_resolved_but_they_can_be_merged(stage: Stage, alice: Person, bob: Person) -> None:
    stage.send("oracle", "report", condition(stage), 1)
    yes, no = stage.leg(stage.order(alice, BUY, YES, 5_000)), stage.leg(stage.order(bob, BUY, NO, 5_000))
    assert stage.settle(stage.fill(yes, no, 5_000, CONTRACT)).reasons == []
    stage.send("reviewer", "confirm", condition(stage), 1)
    assert stage.settle(stage.fill(yes, no, 5_000, CONTRACT)).reasons == ["CONDITION_NOT_OPEN"]
    assert stage.settle(stage.pool_action(PoolAction.SPLIT, CONTRACT)).reasons == ["CONDITION_NOT_OPEN"]
    stage.give(alice, DOLLAR)
    expect_revert("WrongConditionState", lambda: stage.send(alice, "split", condition(stage), DOLLAR))
    stage.send(alice, "merge", condition(stage), CONTRACT)
    assert stage.settle(stage.pool_action(PoolAction.MERGE, CONTRACT)).reasons == []


def test_nothing_is_redeemed_before_resolution(stage: Stage, alice: Person) -> None:
    expect_revert("WrongConditionState", lambda: stage.send(alice, "redeem", condition(stage)))


def test_the_faucet_has_a_cap(stage: Stage) -> None:
    dana = person("dana")
    stage.send(dana, "faucet", dana.address, 10**12, contract=stage.usd)
    expect_revert("FaucetCapExceeded", lambda: stage.send(dana, "faucet", dana.address, 10**12 + 1, contract=stage.usd))


# A random walk


def test_any_sequence_of_batches_conserves_cash_and_sets(stage: Stage, alice: Person, bob: Person, carol: Person) -> None:
    """Random fills of all kinds, pool operations and vault actions, many of them impossible, from one seed."""
    import random
    from dataclasses import replace

    rng = random.Random(20_261_122)
    people = [alice, bob, carol]
    condition_word = int(stage.condition, 16)
    landed = skipped = 0
    for nonce in range(40):
        operations: list[object] = []
        first, deadline = stage.next(), stage.now() + SETTLEMENT_DEADLINE_S

        def add(operation: object) -> None:
            operations.append(replace(operation, number=first + len(operations)))  # noqa: B023

        for _ in range(rng.randint(1, 4)):
            taker, maker = rng.sample([*people, None], 2)
            price = rng.randint(1, 9_999)
            size = rng.choice([1, 100, 5_000, 40_000]) * 10_000
            taker_side, taker_outcome = rng.choice(list(TokenSide)), rng.choice(list(Outcome))
            same = rng.random() < 0.5
            maker_side = taker_side if same else TokenSide(1 - taker_side)
            maker_outcome = taker_outcome.complement if same else taker_outcome

            def leg(who: Person | None, side: TokenSide, outcome: Outcome) -> object:
                if who is None:
                    return stage.pool_leg(side, outcome)
                own = price if outcome is YES else 10_000 - price  # noqa: B023
                slack = rng.choice([0, 0, 7, 7, -7])
                worse = own - slack if side is SELL else own + slack
                order = stage.order(who, side, outcome, min(max(worse, 1), 9_999), size)  # noqa: B023
                return stage.leg(order, fee=rng.choice([0, 0, 100]))

            legs = leg(taker, taker_side, taker_outcome), leg(maker, maker_side, maker_outcome)
            add(stage.fill(*legs, price, size, number=0, not_after=deadline))  # type: ignore[arg-type]
        action = rng.choice([PoolAction.SPLIT, PoolAction.MERGE])
        add(stage.pool_action(action, rng.randint(0, 600) * CONTRACT))
        kind = rng.choice([VaultActionKind.SPLIT, VaultActionKind.MERGE, VaultActionKind.SET_DELIVERY])
        amount = rng.randint(0, 1) if kind is VaultActionKind.SET_DELIVERY else rng.randint(0, 600) * CONTRACT
        add(stage.vault_action(rng.choice(people), kind, id=condition_word, amount=amount, nonce=nonce))
        settled = stage.settle(*operations)  # type: ignore[arg-type]
        landed += len(operations) - len(settled.skips)
        skipped += len(settled.skips)
        assert_conserved(stage)
    assert landed > 40
    assert skipped > 20
    assert stage.view("skippedOperations") == skipped


def test_everybody_can_leave_after_any_of_it(stage: Stage, alice: Person, bob: Person, carol: Person) -> None:
    test_any_sequence_of_batches_conserves_cash_and_sets(stage, alice, bob, carol)
    stage.send("guardian", "pause")
    ids = [token_id(stage.condition, outcome) for outcome in Outcome]
    people: list[Person] = [alice, bob, carol]
    for who in people:
        stage.send(who, "requestExit")
    stage.pass_time(EXIT_DELAY_S)
    for who in people:
        assert stage.events(stage.send(who, "exit", ids), "Exited")[0]["finished"] is True
        assert (stage.cash(who), stage.view("positionsOf", who.address)) == (0, 0)
