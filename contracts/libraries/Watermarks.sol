// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExit} from "../interfaces/IExit.sol";
import {Words} from "./Words.sol";

/// @title What voids a wallet's orders: its lowest valid nonce and its lowest valid timestamp, each with a change announced.
/// @dev Raising is linked, so that the venue stays under its size limit; `msg.sender` is the wallet.
library Watermarks {
    using Words for uint256;

    uint256 private constant NEXT_NONCE_SHIFT = 48;
    uint256 private constant CANCEL_SHIFT = 96;
    uint256 private constant NEXT_CANCEL_SHIFT = 144;
    uint256 private constant NONCE_TIME_SHIFT = 192;
    uint256 private constant CANCEL_TIME_SHIFT = 224;

    function setMinNonce(uint256 minNonce, uint256 exitDelay) external {
        uint256 effectiveAt = block.timestamp + exitDelay;
        _raise(minNonce, Words.MASK_48, 0, NEXT_NONCE_SHIFT, NONCE_TIME_SHIFT, effectiveAt);
        emit IExit.MinNonceSet(msg.sender, minNonce, effectiveAt);
    }

    function cancelBefore(uint256 timestampMs, uint256 exitDelay) external {
        uint256 effectiveAt = block.timestamp + exitDelay;
        _raise(timestampMs, effectiveAt * 1000, CANCEL_SHIFT, NEXT_CANCEL_SHIFT, CANCEL_TIME_SHIFT, effectiveAt);
        emit IExit.CancelledBefore(msg.sender, timestampMs, effectiveAt);
    }

    function inForce(uint256 wallet) internal view returns (uint256 minNonce, uint256 cancelledBeforeMs) {
        uint256 word = Words.watermarkSlot(wallet).read();
        minNonce = _inForce(word, 0, NEXT_NONCE_SHIFT, NONCE_TIME_SHIFT);
        cancelledBeforeMs = _inForce(word, CANCEL_SHIFT, NEXT_CANCEL_SHIFT, CANCEL_TIME_SHIFT);
    }

    /// @dev One announced change at a time: an effective time, once announced, never moves.
    function _raise(
        uint256 value,
        uint256 highest,
        uint256 shift,
        uint256 nextShift,
        uint256 timeShift,
        uint256 effectiveAt
    ) private {
        uint256 slot = Words.watermarkSlot(uint160(msg.sender));
        uint256 word = slot.read();
        uint256 pendingUntil = (word >> timeShift) & Words.MASK_32;
        if (pendingUntil > block.timestamp) revert IExit.WatermarkPending(pendingUntil);
        uint256 current = _inForce(word, shift, nextShift, timeShift);
        if (value <= current) revert IExit.WatermarkNotRaised(current, value);
        if (value > highest) revert IExit.WatermarkTooHigh(value, highest);
        word &= ~(Words.MASK_48 << shift | Words.MASK_48 << nextShift | Words.MASK_32 << timeShift);
        slot.write(word | current << shift | value << nextShift | effectiveAt << timeShift);
        slot = Words.accountSlot(uint160(msg.sender));
        slot.write(slot.read() | Words.HAS_WATERMARKS);
    }

    function _inForce(uint256 word, uint256 shift, uint256 nextShift, uint256 timeShift) private view returns (uint256) {
        bool effective = block.timestamp >= (word >> timeShift) & Words.MASK_32;
        return (word >> (effective ? nextShift : shift)) & Words.MASK_48;
    }
}
