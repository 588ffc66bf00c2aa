// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IExit} from "../interfaces/IExit.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {Words} from "../libraries/Words.sol";
import {Vault} from "./Vault.sol";

/// @title What a wallet can do alone: leave, and void its orders. Nothing here can be paused.
abstract contract Exit is Vault {
    using Words for uint256;
    using SafeERC20 for IERC20;

    uint256 private constant NEXT_NONCE_SHIFT = 48;
    uint256 private constant CANCEL_SHIFT = 96;
    uint256 private constant NEXT_CANCEL_SHIFT = 144;
    uint256 private constant NONCE_TIME_SHIFT = 192;
    uint256 private constant CANCEL_TIME_SHIFT = 224;

    /// @inheritdoc IExit
    function requestExit() external {
        uint256 slot = Words.accountSlot(uint160(msg.sender));
        uint256 account = slot.read();
        if (account.exitAt() != 0) revert ExitAlreadyRequested(account.exitAt());
        uint256 effectiveAt = block.timestamp + _exitDelay;
        slot.write(account | effectiveAt << Words.EXIT_SHIFT);
        emit ExitRequested(msg.sender, effectiveAt);
    }

    /// @inheritdoc IExit
    function exit(uint256[] calldata ids) external nonReentrant {
        uint256 exitTime = _account(msg.sender).exitAt();
        if (exitTime == 0 || block.timestamp < exitTime) revert ExitNotReady(exitTime);

        uint256 cash = _account(msg.sender).cash();
        if (cash != 0) {
            Accounts.takeCash(uint160(msg.sender), cash);
            if (!_collateral.trySafeTransfer(msg.sender, cash)) {
                Accounts.addCash(uint160(msg.sender), cash);
                cash = 0;
            }
        }
        uint256[] memory amounts = new uint256[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            amounts[i] = Accounts.vaultOf(uint160(msg.sender), ids[i]);
            Accounts.takeTokens(uint160(msg.sender), ids[i], amounts[i]);
        }
        uint256 slot = Words.accountSlot(uint160(msg.sender));
        uint256 account = slot.read();
        bool finished = account.cash() == 0 && account.positions() == 0;
        if (finished) slot.write(account & ~Words.EXIT_FIELD);
        emit Exited(msg.sender, cash, ids, finished);
        if (ids.length != 0) _mintBatch(msg.sender, ids, amounts, "");
    }

    /// @inheritdoc IExit
    function setMinNonce(uint256 minNonce) external {
        uint256 effectiveAt = _raise(minNonce, Words.MASK_48, 0, NEXT_NONCE_SHIFT, NONCE_TIME_SHIFT);
        emit MinNonceSet(msg.sender, minNonce, effectiveAt);
    }

    /// @inheritdoc IExit
    function cancelBefore(uint256 timestampMs) external {
        uint256 highest = (block.timestamp + _exitDelay) * 1000;
        uint256 effectiveAt = _raise(timestampMs, highest, CANCEL_SHIFT, NEXT_CANCEL_SHIFT, CANCEL_TIME_SHIFT);
        emit CancelledBefore(msg.sender, timestampMs, effectiveAt);
    }

    /// @inheritdoc IExit
    function exitAt(address wallet) external view returns (uint256) {
        return wallet == address(this) ? 0 : _account(wallet).exitAt();
    }

    /// @inheritdoc IExit
    function watermarksOf(address wallet) external view returns (uint256 minNonce, uint256 cancelledBeforeMs) {
        return _watermarks(uint160(wallet));
    }

    function _watermarks(uint256 wallet) internal view returns (uint256 minNonce, uint256 cancelledBeforeMs) {
        uint256 word = Words.watermarkSlot(wallet).read();
        minNonce = _inForce(word, 0, NEXT_NONCE_SHIFT, NONCE_TIME_SHIFT);
        cancelledBeforeMs = _inForce(word, CANCEL_SHIFT, NEXT_CANCEL_SHIFT, CANCEL_TIME_SHIFT);
    }

    /// @dev One announced change at a time: an effective time, once announced, never moves.
    function _raise(uint256 value, uint256 highest, uint256 shift, uint256 nextShift, uint256 timeShift)
        private
        returns (uint256 effectiveAt)
    {
        uint256 slot = Words.watermarkSlot(uint160(msg.sender));
        uint256 word = slot.read();
        uint256 pendingUntil = (word >> timeShift) & Words.MASK_32;
        if (pendingUntil > block.timestamp) revert WatermarkPending(pendingUntil);
        uint256 current = _inForce(word, shift, nextShift, timeShift);
        if (value <= current) revert WatermarkNotRaised(current, value);
        if (value > highest) revert WatermarkTooHigh(value, highest);
        effectiveAt = block.timestamp + _exitDelay;
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
