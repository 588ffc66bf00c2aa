// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Words} from "./Words.sol";

/// @dev One side of a fill: its order, the three storage words that it touches, and what they become. Assembly knows the
/// fields by their offsets, 0x20 each in this order.
struct Leg {
    uint256 scheme;
    uint256 troubles;
    uint256 holder;
    uint256 accountSlot;
    uint256 account;
    uint256 tokenSlot;
    uint256 token;
    uint256 fillSlot;
    uint256 fill;
    uint256 shift;
    uint256 sellAmount;
    uint256 buyAmount;
    uint256 feeRateBps;
    uint256 nextAccount;
    uint256 nextToken;
    uint256 nextFill;
    bytes32 nativeSeparator;
    bytes32 v1Separator;
    bytes32 v2Separator;
    uint256 tagSlot;
    uint256 nextTags;
}

/// @title The arithmetic of one side of a fill.
library Legs {
    uint256 internal constant LOT = 10_000;
    uint256 internal constant PRICE_SCALE = 10_000;
    uint256 internal constant FEE_STEP = 100;
    /// @dev What lots * p * (1 - p) * bps must be divided by to give fee steps: prices are 10^4 each, bps 10^4, and a lot of
    /// 10^4 micros holds 10^2 steps.
    uint256 private constant FEE_SCALE = 1e10;

    /// @dev Check that the leg can do its part and compute its next words, without branches. `price` is that of its own
    /// token. Sums stay below the intake limit, and whatever goes below zero sets a bit.
    function advance(Leg memory leg, uint256 sells, uint256 price, uint256 lots, uint256 fee, uint256 closes)
        internal
        pure
        returns (uint256 troubles)
    {
        uint256 onePosition = Words.ONE_POSITION;
        assembly ("memory-safe") {
            troubles := mload(add(leg, 0x20))
            let cost := mul(lots, price)
            let size := mul(lots, LOT)
            let sellAmount := mload(add(leg, 0x140))
            {
                let fill := mload(add(leg, 0x100))
                let shift := mload(add(leg, 0x120))
                let gives := xor(cost, mul(sells, xor(cost, size)))
                let filled := and(shr(shift, fill), 0xffffffffffffffff)
                // ORDER_FILLED
                troubles := or(troubles, shl(14, gt(add(filled, gives), sellAmount)))
                mstore(
                    add(leg, 0x1e0), or(add(fill, shl(shift, gives)), shl(shift, mul(closes, 0xffffffffffffffff)))
                )
            }
            {
                // A buyer: price * buyAmount <= PRICE_SCALE * sellAmount. A seller: PRICE_SCALE * buyAmount <= price * sellAmount.
                let swap := mul(sells, xor(price, PRICE_SCALE))
                let limit := mul(xor(PRICE_SCALE, swap), sellAmount)
                // PRICE_WORSE_THAN_SIGNED
                troubles := or(troubles, shl(15, gt(mul(xor(price, swap), mload(add(leg, 0x160))), limit)))
            }
            if fee {
                let cap := mul(mul(cost, sub(PRICE_SCALE, price)), mload(add(leg, 0x180)))
                // slither-disable-next-line divide-before-multiply
                cap := mul(div(add(cap, sub(FEE_SCALE, 1)), FEE_SCALE), FEE_STEP)
                // FEE_ABOVE_CAP
                troubles := or(troubles, shl(16, gt(fee, cap)))
            }
            {
                let account := mload(add(leg, 0x80))
                let income := mul(sells, cost)
                let expense := add(fee, sub(cost, income))
                let have := add(and(account, 0xffffffffffffffffffffffff), income)
                // INSUFFICIENT_CASH
                troubles := or(troubles, shl(17, lt(have, expense)))
                let token := mload(add(leg, 0xc0))
                let given := mul(sells, size)
                // INSUFFICIENT_TOKENS
                troubles := or(troubles, shl(18, lt(shr(128, token), given)))
                // A buyer's vault half before, a seller's after: when it is empty, a position opens or closes.
                let left := sub(token, shl(128, given))
                mstore(add(leg, 0x1c0), add(left, shl(128, sub(size, given))))
                let position := mul(iszero(shr(128, left)), onePosition)
                account := sub(add(account, income), expense)
                // Opened for a buyer (+1), closed for a seller (-1).
                mstore(add(leg, 0x1a0), add(account, mul(position, sub(1, shl(1, sells)))))
            }
        }
    }
}
