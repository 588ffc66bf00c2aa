// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Words} from "./Words.sol";

/// @title What the pool may lose per window, whoever holds the operator's key: a bucket in the pool's account word.
/// @dev Each sending counts its amount (a token as one dollar), each fill of the pool the most that it can lose by it. The
/// bucket drains linearly, full to empty in one window. Its level is kept in micros times the window's seconds: so many
/// micros drain a second as the limit has, and nothing is ever rounded.
library Outflow {
    using Words for uint256;

    uint256 private constant KEPT = Words.MASK_96 | Words.MASK_32 << Words.POSITIONS_SHIFT;

    /// @dev The pool's account word after `amount` more, and whether the limit allows it. No sum here comes near 2^256.
    function count(uint256 account, uint256 amount, uint256 limit, uint256 window)
        internal
        view
        returns (uint256 next, bool fits)
    {
        unchecked {
            uint256 level = account >> Words.OUTFLOW_SHIFT;
            uint256 drained = (block.timestamp - account.exitAt()) * limit;
            assembly ("memory-safe") {
                level := add(mul(gt(level, drained), sub(level, drained)), mul(amount, window))
            }
            next = account & KEPT | block.timestamp << Words.EXIT_SHIFT | level << Words.OUTFLOW_SHIFT;
            fits = level <= limit * window;
        }
    }
}
