// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Configuration, IVenue} from "../../contracts/interfaces/IVenue.sol";
import {IMarkets} from "../../contracts/interfaces/IMarkets.sol";
import {Base, Order} from "./Base.sol";

/// @title What four wallets, the operator, the guardian, the oracle and passers-by may do, in any order, with any values.
/// @dev Every step is one that the venue takes: with `fail_on_revert` a revert anywhere is a finding. That the operator's
/// well-formed batches never revert is part of it.
contract Market is Base {
    uint256 public constant PEOPLE = 4;

    /// Sent to the venue without a deposit.
    uint256 public donated;
    /// What redemptions and merges may have left behind: one micro for each side of each redemption.
    uint256 public redemptions;
    uint256 public operations;
    uint256 public landed;
    bool public fillAfterEffective;

    Order[] private _orders;
    mapping(bytes32 digest => uint256) private _given;
    mapping(uint256 who => uint256) private _nonces;

    constructor() {
        deploy();
        for (uint256 i; i < PEOPLE; ++i) {
            fund(person(i), 1_000 * DOLLAR, 500 * DOLLAR);
        }
        fundPool(1_000 * DOLLAR, 1_000 * DOLLAR);
    }

    // --- read by the invariants

    function ordersMade() external view returns (uint256) {
        return _orders.length;
    }

    function orderAt(uint256 i) external view returns (uint256 signed, uint256 counted, uint256 told) {
        Order memory o = _orders[i];
        return (o.sell, _given[digestOf(o)], given(o));
    }

    function stage() external view returns (IVenue, bytes32, address) {
        return (venue, condition, address(usd));
    }

    function holders() external view returns (address[] memory all) {
        all = new address[](PEOPLE + 2);
        for (uint256 i; i < PEOPLE; ++i) {
            all[i] = person(i);
        }
        (all[PEOPLE], all[PEOPLE + 1]) = (person(99), address(venue));
    }

    // --- what wallets do by themselves

    function deposit(uint256 who, uint256 amount) external {
        address wallet = person(who % PEOPLE);
        if (venue.exitAt(wallet) != 0) return;
        amount = bound(amount, 1, 100 * DOLLAR);
        usd.faucet(wallet, amount);
        vm.prank(wallet);
        venue.deposit(amount);
    }

    function splitAndDeposit(uint256 who, uint256 amount, uint256 outcome) external {
        address wallet = person(who % PEOPLE);
        if (!_open() || venue.exitAt(wallet) != 0) return;
        amount = bound(amount, 1, 100 * DOLLAR);
        usd.faucet(wallet, amount);
        vm.prank(wallet);
        venue.split(condition, amount);
        vm.prank(wallet);
        venue.depositTokens(id(bound(outcome, YES, NO)), amount);
    }

    function transfer(uint256 from, uint256 to, uint256 outcome, uint256 amount) external {
        (address sender, address receiver) = (person(from % PEOPLE), person(to % PEOPLE));
        uint256 token = id(bound(outcome, YES, NO));
        amount = bound(amount, 0, tokens.balanceOf(sender, token));
        vm.prank(sender);
        tokens.safeTransferFrom(sender, receiver, token, amount, "");
    }

    function mergeFree(uint256 who, uint256 amount) external {
        address wallet = person(who % PEOPLE);
        uint256 most = tokens.balanceOf(wallet, id(YES));
        if (tokens.balanceOf(wallet, id(NO)) < most) most = tokens.balanceOf(wallet, id(NO));
        // After a resolution sets may have been redeemed by halves: what is left covers as many sets as its collateral.
        (, uint256 collateral,) = venue.conditionOf(condition);
        if (collateral < most) most = collateral;
        if (most == 0) return;
        vm.prank(wallet);
        venue.merge(condition, bound(amount, 1, most));
    }

    function redeemFree(uint256 who) external {
        address wallet = person(who % PEOPLE);
        (IMarkets.ConditionState state,,) = venue.conditionOf(condition);
        if (state != IMarkets.ConditionState.Resolved) return;
        if (tokens.balanceOf(wallet, id(YES)) + tokens.balanceOf(wallet, id(NO)) == 0) return;
        vm.prank(wallet);
        venue.redeem(condition);
        ++redemptions;
    }

    function requestExit(uint256 who) external {
        address wallet = person(who % PEOPLE);
        if (venue.exitAt(wallet) != 0) return;
        vm.prank(wallet);
        venue.requestExit();
    }

    function exit(uint256 who) public {
        address wallet = person(who % PEOPLE);
        uint256 leaves = venue.exitAt(wallet);
        if (leaves == 0 || block.timestamp < leaves) return;
        uint256[] memory both = new uint256[](2);
        (both[0], both[1]) = (id(YES), id(NO));
        vm.prank(wallet);
        venue.exit(both);
    }

    function cancelEverything(uint256 who) external {
        vm.prank(person(who % PEOPLE));
        try venue.cancelBefore(block.timestamp * 1000) {} catch {} // one announced change at a time
    }

    function donate(uint256 amount) external {
        amount = bound(amount, 1, DOLLAR);
        usd.faucet(address(venue), amount);
        donated += amount;
    }

    // --- what the operator settles

    /// @dev Two wallets, or a wallet and the pool: lands when prices cross, the accounts stay and the funds are there.
    function fill(uint256 taker, uint256 maker, uint256 dice, uint256 price, uint256 limit, uint256 lots, uint256 fee)
        external
    {
        (price, limit, lots) = (bound(price, 1, 9_999), bound(limit, 1, 9_999), bound(lots, 0, 5_000));
        uint256 outcome = bound(dice >> 8, YES, NO);
        uint256 own = outcome == YES ? price : 10_000 - price;
        Order memory left = _maybePool(taker, dice >> 16, dice & 1, outcome, own, lots);
        bool complementary = dice & 6 != 0;
        if (!complementary) own = 10_000 - own;
        Order memory right = _maybePool(
            maker,
            dice >> 32,
            complementary ? 1 - left.side : left.side,
            complementary ? outcome : 3 - outcome,
            dice & 24 == 0 ? limit : own,
            lots
        );
        _settle(left, right, complementary ? 0 : left.side + 1, price, lots, bound(fee, 0, lots * 2));
    }

    /// @dev Parts of an order that was used before.
    function fillAgain(uint256 i, uint256 other, uint256 lots) external {
        if (_orders.length == 0) return;
        Order memory maker = _orders[i % _orders.length];
        lots = bound(lots, 1, 2_000);
        uint256 size = maker.side == BUY ? maker.buy : maker.sell;
        uint256 cost = maker.side == BUY ? maker.sell : maker.buy;
        uint256 own = size == 0 ? 1 : cost * 10_000 / size;
        if (own == 0 || own > 9_999) return;
        uint256 outcome = maker.id & 3;
        Order memory taker = order(true, other % PEOPLE, 1 - maker.side, outcome, own, lots);
        _settle(taker, maker, 0, outcome == YES ? own : 10_000 - own, lots, 0);
    }

    function pool(uint256 action, uint256 amount, uint256 to, uint256 outcome) external {
        uint8 kind = uint8(0x20 + action % 5);
        uint256 subject = kind == 0x22 || kind == 0x24 ? id(bound(outcome, YES, NO)) : uint256(condition);
        bool done = _count(packPool(kind, subject, bound(amount, 0, 200 * DOLLAR), person(to % PEOPLE)));
        if (done && kind == 0x22) ++redemptions;
    }

    function act(uint256 who, uint256 kind, uint256 amount, uint256 outcome, uint256 to) external {
        kind %= 5;
        who %= PEOPLE;
        uint256 subject = kind == 1 || kind == 2 ? uint256(condition) : id(bound(outcome, YES, NO));
        if (kind == 0 && outcome % 3 == 0) subject = 0;
        amount = kind == 4 ? amount % 2 : bound(amount, 0, 300 * DOLLAR);
        bytes memory packed =
            packAction(who, uint8(kind), subject, amount, person(to % PEOPLE), _nonces[who]++);
        if (_count(packed) && kind == 3) ++redemptions;
    }

    // --- what the others do, and time

    function pauseOrUnpause() external {
        (bool poolBlocked,,) = venue.pauseState();
        vm.prank(guardian);
        if (poolBlocked) {
            venue.unpause();
        } else {
            try venue.pause() {} catch {} // a gap of a day between pauses
        }
    }

    function resolve(uint256 payout, uint256 seldom) external {
        (IMarkets.ConditionState state,, uint256 reported) = venue.conditionOf(condition);
        if (state == IMarkets.ConditionState.Open) {
            vm.prank(oracle);
            venue.report(condition, payout % (DOLLAR + 1));
        } else if (state == IMarkets.ConditionState.Reported) {
            vm.prank(reviewer);
            if (seldom % 8 == 0) venue.confirm(condition, reported);
            else venue.reject(condition);
        }
    }

    function pass(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, EXIT_DELAY));
    }

    // --- P7: whatever happened, everybody leaves, paused or not

    function everybodyLeaves() external {
        (bool poolBlocked,,) = venue.pauseState();
        if (!poolBlocked) {
            vm.prank(guardian);
            try venue.pause() {} catch {} // a gap of a day between pauses
        }
        for (uint256 i; i < PEOPLE; ++i) {
            if (venue.exitAt(person(i)) != 0) continue;
            vm.prank(person(i));
            venue.requestExit();
        }
        vm.warp(block.timestamp + EXIT_DELAY);
        for (uint256 i; i < PEOPLE; ++i) {
            (uint256 cash, uint256 before) = (venue.cashOf(person(i)), usd.balanceOf(person(i)));
            uint256 yes = vault(person(i), YES) + tokens.balanceOf(person(i), id(YES));
            exit(i);
            assertEq(usd.balanceOf(person(i)), before + cash, "all cash is paid");
            assertEq(tokens.balanceOf(person(i), id(YES)), yes, "all tokens are free");
            assertEq(venue.positionsOf(person(i)) + venue.exitAt(person(i)), 0, "the account is fresh");
        }
        (,, uint256 until) = venue.pauseState();
        vm.warp(block.timestamp + 7 days + DEADLINE);
        (poolBlocked,,) = venue.pauseState();
        assertTrue(!poolBlocked && until <= block.timestamp, "a pause ends by itself");
    }

    // --- private

    function _open() private view returns (bool) {
        (IMarkets.ConditionState state,,) = venue.conditionOf(condition);
        return state == IMarkets.ConditionState.Open || state == IMarkets.ConditionState.Reported;
    }

    /// @dev Sometimes of the other scheme, sometimes larger than the fill, sometimes the pool.
    function _maybePool(uint256 who, uint256 dice, uint256 side, uint256 outcome, uint256 own, uint256 lots)
        private
        returns (Order memory made)
    {
        made = order(dice & 1 == 0, who % PEOPLE, side, outcome, own, lots + (dice >> 4) % 3 * 1_000);
        if (dice & 6 == 0) made.wallet = address(0);
    }

    function _settle(Order memory taker, Order memory maker, uint256 kind, uint256 price, uint256 lots, uint256 fee) private {
        if (taker.wallet == address(0) && maker.wallet == address(0)) return;
        bool late = _effective(taker) || _effective(maker);
        if (!_count(packFill(taker, maker, kind, price, lots, fee))) return;
        if (late) fillAfterEffective = true;
        _note(taker, price, lots);
        _note(maker, price, lots);
    }

    function _effective(Order memory o) private view returns (bool) {
        if (o.wallet == address(0)) return false;
        uint256 leaves = venue.exitAt(o.wallet);
        (, uint256 cancelled) = venue.watermarksOf(o.wallet);
        return (leaves != 0 && leaves <= block.timestamp) || (o.v2 && o.stamp < cancelled);
    }

    function _note(Order memory o, uint256 price, uint256 lots) private {
        if (o.wallet == address(0)) return;
        bytes32 digest = digestOf(o);
        if (_given[digest] == 0) _orders.push(o);
        uint256 own = o.id & 3 == YES ? price : 10_000 - price;
        _given[digest] += o.side == BUY ? lots * own : lots * LOT;
    }

    function _count(bytes memory operation) private returns (bool done) {
        ++operations;
        done = settle(operation);
        if (done) ++landed;
    }
}
