// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMarkets} from "../../contracts/interfaces/IMarkets.sol";
import {IRoles} from "../../contracts/interfaces/IRoles.sol";
import {Accounts} from "../../contracts/libraries/Accounts.sol";
import {Words} from "../../contracts/libraries/Words.sol";
import {Base, Order} from "./Base.sol";

interface IContractWallet {
    function call(address target, bytes calldata data) external returns (bytes memory);
}

interface IHostileReceiver {
    function set(uint8 mode, address target, bytes calldata data) external;
    function call(address target, bytes calldata data) external;
}

/// @title Properties P1, P3 to P6 and P9 to P14 of docs/invariants.md, for all values that the fuzzer finds.
contract PropertiesTest is Base {
    uint256 private constant ALICE = 1;
    uint256 private constant BOB = 2;

    function setUp() public {
        deploy();
        fund(person(ALICE), 1_000 * DOLLAR, 1_000 * DOLLAR);
        fund(person(BOB), 1_000 * DOLLAR, 1_000 * DOLLAR);
        fundPool(5_000 * DOLLAR, 5_000 * DOLLAR);
    }

    function _try(Order memory maker, uint256 lots) private returns (bool) {
        uint256 price = 5_000;
        return settleFill(order(true, BOB, BUY, YES, price, lots), maker, price, lots, 0);
    }

    // --- P1

    function testFuzz_P1_a_set_pays_what_it_was_made_of_but_for_a_micro_a_side(uint256 payout, uint96 sets) public pure {
        payout = bound(payout, 0, 1e6);
        uint256 resolved = payout << Words.PAYOUT_SHIFT;
        uint256 paid = Accounts.payoutRoundedDown(resolved, sets, 0) + Accounts.payoutRoundedDown(resolved, 0, sets);
        assertLe(paid, sets, "paid");
        assertLe(sets, paid + 1, "kept back");
    }

    // --- P3, P4: also proved by tests/symbolic for the arithmetic alone

    function testFuzz_P3_an_order_never_gives_more_than_it_signed(bool v2, uint256 size, uint256[5] memory parts) public {
        size = bound(size, 1, 50_000);
        Order memory maker = order(v2, ALICE, SELL, YES, 5_000, size);
        uint256 before = vault(person(ALICE), YES);
        for (uint256 i; i < parts.length; ++i) {
            uint256 lots = bound(parts[i], 0, 30_000);
            uint256 left = maker.sell - given(maker);
            bool fits = lots != 0 && lots * LOT <= left;
            assertTrue(_try(maker, lots) == fits, "a part lands exactly when it fits");
        }
        assertLe(before - vault(person(ALICE), YES), maker.sell, "given");
        assertEq(before - vault(person(ALICE), YES), given(maker), "what the venue says was given");
    }

    function testFuzz_P4_no_price_is_worse_than_signed(bool v2, bool buys, uint256 limit, uint256 price, uint256 lots) public {
        (limit, price) = (bound(limit, 1, 9_999), bound(price, 1, 9_999));
        lots = bound(lots, 1, 1_000);
        Order memory maker = order(v2, ALICE, buys ? BUY : SELL, YES, limit, lots);
        Order memory taker = order(v2, BOB, buys ? SELL : BUY, YES, price, lots);
        bool landed = settleFill(taker, maker, price, lots, 0);
        assertTrue(landed == (buys ? price <= limit : price >= limit), "lands exactly within the limit");
    }

    /// @dev P3 rests on it: an order counts as begun exactly when its word of tags names it.
    function testFuzz_P3_a_word_of_tags_finds_a_tag_exactly_when_a_place_holds_it(uint256 tags, uint256 digest, uint256 place)
        public
        pure
    {
        uint256 tag = Words.tagOf(digest);
        tags >>= 4;
        if (place % 24 < 12) {
            // Half of the time: put it there, or the tag next to it.
            uint256 shift = 21 * (place % 12);
            tags = (tags & ~(((1 << 21) - 1) << shift)) | ((place & 64 == 0 ? tag : tag ^ 1) << shift);
        }
        bool found;
        for (uint256 i; i < 12; ++i) {
            if ((tags >> (21 * i)) & ((1 << 21) - 1) == tag) found = true;
        }
        assertTrue(Words.hasTag(tags, tag) == found, "found");
    }

    // --- P5

    function testFuzz_P5_an_expired_order_never_fills_and_always_before(uint256 life, uint256 wait) public {
        (life, wait) = (bound(life, 0, 1_000), bound(wait, 0, 2_000));
        Order memory maker = order(false, ALICE, SELL, YES, 5_000, 1);
        maker.expiration = uint40(START + life);
        vm.warp(START + wait);
        assertTrue(_try(maker, 1) == (wait <= life), "up to and including its last second");
    }

    function testFuzz_P5_a_nonce_floor_holds_after_the_delay_and_not_before(uint48 floor, uint48 nonce, uint256 wait) public {
        vm.assume(floor != 0);
        wait = bound(wait, 0, 2 * EXIT_DELAY);
        vm.prank(person(ALICE));
        venue.setMinNonce(floor);
        vm.warp(START + wait);
        Order memory maker = order(false, ALICE, SELL, YES, 5_000, 1);
        maker.stamp = nonce;
        assertTrue(_try(maker, 1) == (wait < EXIT_DELAY || nonce >= floor), "floor");
    }

    function testFuzz_P5_a_cancel_holds_after_the_delay_and_not_before(uint256 cancelled, uint256 stamp, uint256 wait) public {
        cancelled = bound(cancelled, 1, (START + EXIT_DELAY) * 1000);
        stamp = bound(stamp, (START - 60) * 1000, (START + EXIT_DELAY) * 1000);
        wait = bound(wait, 0, 2 * EXIT_DELAY);
        vm.prank(person(ALICE));
        venue.cancelBefore(cancelled);
        vm.warp(START + wait);
        Order memory maker = order(true, ALICE, SELL, YES, 5_000, 1);
        maker.stamp = uint48(stamp);
        assertTrue(_try(maker, 1) == (wait < EXIT_DELAY || stamp >= cancelled), "cancel");
    }

    function testFuzz_P5_an_exit_stops_fills_after_the_delay_and_not_before(bool v2, uint256 wait) public {
        wait = bound(wait, 0, 2 * EXIT_DELAY);
        vm.prank(person(ALICE));
        venue.requestExit();
        vm.warp(START + wait);
        assertTrue(_try(order(v2, ALICE, SELL, YES, 5_000, 1), 1) == (wait < EXIT_DELAY), "exit");
    }

    // --- P6

    function testFuzz_P6_only_oracle_and_reviewer_resolve_once_within_a_dollar(address caller, uint256 payout, uint256 other)
        public
    {
        vm.assume(caller != oracle && caller != reviewer);
        vm.prank(caller);
        vm.expectRevert();
        venue.report(condition, payout % (DOLLAR + 1));
        vm.prank(oracle);
        if (payout > DOLLAR) vm.expectRevert(abi.encodeWithSelector(IMarkets.PayoutOutOfRange.selector, payout));
        venue.report(condition, payout);
        if (payout > DOLLAR) return;
        vm.prank(caller);
        vm.expectRevert();
        venue.confirm(condition, payout);
        if (other != payout) {
            vm.prank(reviewer);
            vm.expectRevert(abi.encodeWithSelector(IMarkets.PayoutMismatch.selector, payout, other));
            venue.confirm(condition, other);
        }
        vm.prank(reviewer);
        venue.confirm(condition, payout);
        vm.prank(oracle);
        vm.expectRevert();
        venue.report(condition, payout);
    }

    // --- P9

    function testFuzz_P9_a_batch_lands_once_and_only_in_its_place(uint256 first, uint256 lots) public {
        lots = bound(lots, 1, 1_000);
        bytes memory batch = bytes.concat(
            hex"0001",
            packFill(order(true, BOB, BUY, YES, 5_000, lots), order(true, ALICE, SELL, YES, 5_000, lots), 0, 5_000, lots, 0)
        );
        uint256 before = vault(person(BOB), YES);
        if (first != 0) {
            vm.prank(operator);
            vm.expectRevert();
            venue.settleBatch(first, batch);
        }
        vm.prank(operator);
        venue.settleBatch(0, batch);
        for (uint256 again; again < 2; ++again) {
            vm.prank(operator);
            vm.expectRevert();
            venue.settleBatch(again == 0 ? 0 : 2, batch);
        }
        // In its place again: the orders themselves are spent.
        vm.prank(operator);
        venue.settleBatch(1, batch);
        assertEq(vault(person(BOB), YES) - before, lots * LOT, "bought once");
        assertEq(venue.skippedOperations(), 1, "skipped the second time");
    }

    // --- P10

    function testFuzz_P10_a_hostile_receiver_keeps_nobody_from_settling(uint8 mode, bytes calldata extra) public {
        mode = uint8(bound(mode, 0, 5));
        address receiver = create("HostileReceiver", "");
        IHostileReceiver(receiver).set(mode, address(venue), extra);
        uint256 pool = vault(address(venue), YES);
        bytes memory send = packPool(0x24, id(YES), 7 * DOLLAR, receiver);
        bytes memory fill =
            packFill(order(true, BOB, BUY, YES, 5_000, 1), order(false, ALICE, SELL, YES, 5_000, 1), 0, 5_000, 1, 0);
        vm.prank(operator);
        venue.settleBatch{gas: 2_000_000}(0, bytes.concat(hex"0002", send, fill));
        assertEq(venue.skippedOperations(), 0, "both landed");
        assertEq(tokens.balanceOf(receiver, id(YES)) + vault(receiver, YES), 7 * DOLLAR, "kept or refused, never lost");
        assertEq(pool - vault(address(venue), YES), 7 * DOLLAR, "sent once");
    }

    // --- P11

    function testFuzz_P11_a_signature_is_worth_nothing_on_another_chain(uint64 chain, bool v2) public {
        vm.assume(chain != 0 && chain != block.chainid);
        Order memory maker = order(v2, ALICE, SELL, YES, 5_000, 1);
        Order memory taker = order(false, BOB, BUY, YES, 5_000, 1);
        bytes memory here = packFill(taker, maker, 0, 5_000, 1, 0);
        vm.chainId(chain);
        assertTrue(!settle(here), "signed for the chain before the fork");
        if (v2) return;
        assertTrue(settleFill(taker, order(false, ALICE, SELL, YES, 5_000, 1), 5_000, 1, 0), "native follows the chain");
    }

    function testFuzz_P11_no_changed_byte_of_a_signed_order_fills(bool v2, uint256 place, uint8 change) public {
        vm.assume(change != 0);
        Order memory taker = order(true, BOB, BUY, YES, 5_000, 1);
        bytes memory fill = packFill(taker, order(v2, ALICE, SELL, YES, 5_000, 1), 0, 5_000, 1, 0);
        uint256 length = v2 ? 112 : 113;
        uint256 changed = fill.length - length + place % length;
        fill[changed] ^= bytes1(change);
        (uint256 cash, uint256 yes) = (venue.cashOf(person(ALICE)), vault(person(ALICE), YES));
        assertTrue(!settle(fill), "a changed order");
        assertEq(venue.cashOf(person(ALICE)), cash, "cash");
        assertEq(vault(person(ALICE), YES), yes, "tokens");
    }

    // --- P12

    function testFuzz_P12_a_contract_wallets_approval_is_its_own_and_stays(bytes32 digest, address stranger) public {
        address wallet = create("ContractWallet", abi.encode(person(ALICE)));
        vm.assume(stranger != wallet);
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key(ALICE), digest);
        venue.approveOrderFor(wallet, digest, abi.encodePacked(r, s, v));
        assertTrue(venue.orderApproved(wallet, digest), "recorded");
        assertTrue(!venue.orderApproved(stranger, digest), "for this account alone");
        // The wallet changes its mind: what was recorded at admission stands.
        vm.etch(wallet, hex"5f5ffd");
        assertTrue(venue.orderApproved(wallet, digest), "still");
        vm.expectRevert();
        venue.approveOrderFor(wallet, keccak256(abi.encode(digest)), abi.encodePacked(r, s, v));
    }

    function testFuzz_P12_a_permit_used_by_somebody_else_first_is_tolerated(uint256 amount, bool frontRun) public {
        amount = bound(amount, 1, 1_000 * DOLLAR);
        address who = person(7);
        usd.faucet(who, amount);
        bytes32 content = keccak256(
            abi.encode(
                keccak256("Permit(address owner,address spender,uint256 value,uint256 nonce,uint256 deadline)"),
                who,
                address(venue),
                amount,
                usd.nonces(who),
                START
            )
        );
        bytes32 digest = keccak256(bytes.concat(hex"1901", usd.DOMAIN_SEPARATOR(), content));
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(key(7), digest);
        if (frontRun) usd.permit(who, address(venue), amount, START, v, r, s);
        vm.prank(who);
        venue.depositWithPermit(amount, START, v, r, s);
        assertEq(venue.cashOf(who), amount, "credited");
    }

    // --- P13

    function testFuzz_P13_no_role_passes_before_twice_the_exit_delay(uint8 role, address next, uint256 wait) public {
        IRoles.Role which = IRoles.Role(bound(role, 0, 4));
        vm.assume(next != address(0) && next != venue.holderOf(which));
        wait = bound(wait, 0, 4 * EXIT_DELAY);
        address before = venue.holderOf(which);
        vm.prank(next);
        vm.expectRevert();
        venue.acceptRole(which);
        vm.prank(admin);
        venue.proposeRole(which, next);
        vm.warp(START + wait);
        bool ready = wait >= 2 * EXIT_DELAY;
        vm.prank(next);
        if (!ready) vm.expectRevert(abi.encodeWithSelector(IRoles.ProposalNotReady.selector, START + 2 * EXIT_DELAY));
        venue.acceptRole(which);
        assertTrue(venue.holderOf(which) == (ready ? next : before), "holder");
    }

    function testFuzz_P13_only_the_admin_proposes(address caller, uint8 role) public {
        vm.assume(caller != admin);
        vm.prank(caller);
        vm.expectRevert(abi.encodeWithSelector(IRoles.NotRole.selector, IRoles.Role.Admin, caller));
        venue.proposeRole(IRoles.Role(bound(role, 0, 4)), caller);
    }

    // --- P14

    function testFuzz_P14_a_condition_has_two_outcomes_and_no_third_can_be_made_or_sold(uint8 outcome, uint256 amount) public {
        vm.assume(outcome != YES && outcome != NO);
        amount = bound(amount, 1, 100 * DOLLAR);
        uint256 third = id(outcome);
        address who = person(ALICE);
        vm.prank(who);
        vm.expectRevert();
        venue.depositTokens(third, amount);
        assertTrue(!settle(packPool(0x24, third, amount, who)), "the pool has none to send");
        assertTrue(!settle(packAction(ALICE, 0, third, amount, who, 1)), "nor a wallet to withdraw");
        assertEq(tokens.balanceOf(who, third) + venue.vaultBalanceOf(who, third), 0, "none exists");
    }
}
