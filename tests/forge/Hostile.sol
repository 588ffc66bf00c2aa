// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ISettlement} from "../../contracts/interfaces/ISettlement.sol";
import {IVenue} from "../../contracts/interfaces/IVenue.sol";
import {Base, Order} from "./Base.sol";

/// @title What a thief of the operator's key can try, with a wallet of his own as the other side.
/// @dev ALICE has signed two orders. SILENT has money and has signed nothing. MALLORY's key is the thief's.
contract Hostile is Base {
    uint256 public constant ALICE = 1;
    uint256 public constant SILENT = 2;
    uint256 public constant MALLORY = 3;
    uint256 public constant BUY_LIMIT = 6_000;
    uint256 public constant SELL_LIMIT = 4_500;
    uint256 public constant FUNDS = 10_000 * DOLLAR;
    uint256 private constant POOL_FUNDS = 100_000 * DOLLAR;

    uint256 public landed;

    uint256 private immutable _held;
    Order private _buysYes;
    Order private _sellsNo;
    bytes[] private _seen;
    uint256 private _nonce;

    constructor() {
        deploy();
        for (uint256 who = ALICE; who <= MALLORY; ++who) {
            fund(person(who), FUNDS, FUNDS);
        }
        fundPool(POOL_FUNDS, POOL_FUNDS);
        _held = usd.balanceOf(address(venue));
        _buysYes = order(false, ALICE, BUY, YES, BUY_LIMIT, 40_000);
        _sellsNo = order(true, ALICE, SELL, NO, SELL_LIMIT, 40_000);
    }

    // --- read by the invariants

    function stage() external view returns (IVenue, bytes32) {
        return (venue, condition);
    }

    function wallet(uint256 who) external pure returns (address) {
        return person(who);
    }

    function givenByAlice() external view returns (uint256 cash, uint256 no) {
        return (given(_buysYes), given(_sellsNo));
    }

    /// @dev Cash and vault tokens that have left the venue, by whatever way: nobody but the thief moves anything here.
    function sent() external view returns (uint256 amount) {
        amount = _held - usd.balanceOf(address(venue));
        (, uint256 collateral,) = venue.conditionOf(condition);
        amount += 2 * collateral;
        for (uint256 outcome = YES; outcome <= NO; ++outcome) {
            amount -= vault(address(venue), outcome);
            for (uint256 who = ALICE; who <= MALLORY; ++who) {
                amount -= vault(person(who), outcome);
            }
        }
    }

    /// @dev What the pool has lost, by whatever way, if this outcome pays a dollar and the other one nothing.
    function poolLost(uint256 outcome) external view returns (uint256) {
        uint256 left = venue.cashOf(address(venue)) + vault(address(venue), outcome);
        return left < 2 * POOL_FUNDS ? 2 * POOL_FUNDS - left : 0;
    }

    /// @dev The limiter's promise: a full bucket, and what has drained since the start.
    function mayHaveLeft() external view returns (uint256) {
        return OUTFLOW_LIMIT + (block.timestamp - START) * OUTFLOW_LIMIT / OUTFLOW_WINDOW;
    }

    // --- what the thief does

    /// @dev Alice's orders against his own, at any price, size and fee, on either side of the group, in any kind.
    function tradeAgainst(uint256 dice, uint256 price, uint256 own, uint256 lots, uint256 fee) external {
        (price, own, lots) = (bound(price, 0, 16_383), bound(own, 1, 9_999), bound(lots, 0, 20_000));
        Order memory victim = dice & 1 == 0 ? _buysYes : _sellsNo;
        Order memory his =
            order(dice & 2 == 0, MALLORY, dice & 4 == 0 ? 1 - victim.side : victim.side, bound(dice >> 8, YES, NO), own, lots);
        if (dice & 48 == 0) his.wallet = address(0);
        bool first = dice & 64 == 0;
        _do(packFill(first ? victim : his, first ? his : victim, dice >> 10 & 3, price, lots, bound(fee, 0, 1 << 39)));
    }

    /// @dev The best he can do within the rules: her limit, his gain.
    function tradeAtTheLimit(uint256 dice, uint256 lots, uint256 fee) external {
        Order memory victim = dice & 1 == 0 ? _buysYes : _sellsNo;
        lots = bound(lots, 1, 10_000);
        uint256 limit = dice & 1 == 0 ? BUY_LIMIT : SELL_LIMIT;
        uint256 price = dice & 1 == 0 ? limit : 10_000 - limit;
        Order memory his = order(dice & 2 == 0, MALLORY, 1 - victim.side, victim.id & 3, limit, lots);
        uint256 cap = (lots * limit * (10_000 - limit) * 700 + 1e10 - 1) / 1e10 * 100;
        _do(packFill(his, victim, 0, price, lots, bound(fee, 0, cap + 1)));
    }

    /// @dev Himself against the pool, at any price: bought for nothing, sold to it for a dollar, one set at a time or many.
    function tradeWithThePool(uint256 dice, uint256 price, uint256 lots) external {
        (price, lots) = (dice & 1 == 0 ? (dice & 512 == 0 ? 1 : 9_999) : bound(price, 1, 9_999), bound(lots, 1, 200_000));
        uint256 outcome = bound(dice >> 4, YES, NO);
        uint256 side = dice >> 5 & 1;
        Order memory his = order(dice & 2 == 0, MALLORY, side, outcome, outcome == YES ? price : 10_000 - price, lots);
        bool same = dice & 4 == 0;
        Order memory pool;
        (pool.side, pool.id) = same ? (side, id(YES + NO - outcome)) : (1 - side, id(outcome));
        bool first = dice & 8 == 0;
        _do(packFill(first ? his : pool, first ? pool : his, same ? 1 + side : 0, price, lots, 0));
    }

    /// @dev Orders in the names of others, under his own signature.
    function forgeOrder(uint256 dice, uint256 who, uint256 price, uint256 lots) external {
        (price, lots) = (bound(price, 1, 9_999), bound(lots, 1, 10_000));
        Order memory forged = order(dice & 1 == 0, bound(who, ALICE, SILENT), dice >> 1 & 1, YES, price, lots);
        forged.key = key(MALLORY);
        _do(packFill(order(true, MALLORY, 1 - forged.side, YES, price, lots), forged, 0, price, lots, 0));
    }

    /// @dev Withdrawals, splits, merges, redemptions and delivery for others, under his own signature or none.
    function forgeAction(uint256 who, uint8 kind, uint256 amount, bool unsigned) external {
        address victim = person(bound(who, ALICE, SILENT));
        uint40 deadline = uint40(block.timestamp + DEADLINE);
        (uint256 subject, address to) = (kind % 2 == 0 ? 0 : id(YES), person(MALLORY));
        bytes32 digest = actionDigest(victim, kind % 5, subject, uint128(amount), to, ++_nonce, deadline);
        bytes memory body = abi.encodePacked(victim, uint8(kind % 5), subject, uint128(amount), to, _nonce, deadline);
        bytes memory head = abi.encodePacked(uint8(0x10), uint8(unsigned ? 32 : 0), deadline);
        _do(bytes.concat(head, body, unsigned ? bytes("") : compactSignature(key(MALLORY), digest)));
    }

    /// @dev Whatever was sent before, once more.
    function replay(uint256 i) external {
        if (_seen.length != 0) _do(_seen[i % _seen.length]);
    }

    /// @dev Whatever was sent before, with a byte changed: it may not even parse.
    function mangle(uint256 i, uint256 place, uint8 change) external {
        if (_seen.length == 0 || change == 0) return;
        bytes memory operation = _seen[i % _seen.length];
        operation[place % operation.length] ^= bytes1(change);
        _attempt(bytes.concat(hex"0001", operation));
    }

    function noise(uint16 count, bytes calldata anything) external {
        _attempt(bytes.concat(bytes2(count), anything));
    }

    function send(uint256 amount, bool cash, uint256 outcome) external {
        amount = bound(amount, 0, 2 * OUTFLOW_LIMIT);
        _do(packPool(cash ? 0x23 : 0x24, id(bound(outcome, YES, NO)), amount, person(MALLORY)));
    }

    function useThePool(uint8 kind, uint256 amount) external {
        _do(packPool(0x20 + kind % 3, kind % 3 == 2 ? id(YES) : uint256(condition), bound(amount, 0, 1_000 * DOLLAR), operator));
    }

    function callAsOperator(bytes4 selector, bytes calldata anything) external {
        if (selector == ISettlement.settleBatch.selector) return;
        vm.prank(operator);
        // solhint-disable-next-line avoid-low-level-calls
        (bool ok,) = address(venue).call(bytes.concat(selector, anything));
        ok; // whatever it did, the invariants judge
    }

    function pass(uint256 time) external {
        vm.warp(block.timestamp + bound(time, 1, 1_000));
    }

    // --- private

    function _do(bytes memory operation) private returns (bool done) {
        if (_seen.length < 64) _seen.push(operation);
        done = settle(operation);
        if (done) ++landed;
    }

    function _attempt(bytes memory batch) private {
        uint256 next = venue.nextOperation();
        vm.prank(operator);
        try venue.settleBatch(next, batch) {
            landed += venue.nextOperation() - next;
        } catch {} // MalformedOperations, or out of gas for a receiver
    }
}
