// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IExit} from "../interfaces/IExit.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {Watermarks} from "../libraries/Watermarks.sol";
import {Words} from "../libraries/Words.sol";
import {Vault} from "./Vault.sol";

/// @title What a wallet can do alone: leave, and void its orders. Nothing here can be paused.
abstract contract Exit is Vault {
    using Words for uint256;
    using SafeERC20 for IERC20;

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
            // slither-disable-next-line unused-return
            Accounts.takeCash(uint160(msg.sender), cash);
            if (!_collateral.trySafeTransfer(msg.sender, cash)) {
                Accounts.addCash(uint160(msg.sender), cash);
                cash = 0;
            }
        }
        uint256[] memory amounts = new uint256[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            amounts[i] = Accounts.vaultOf(uint160(msg.sender), ids[i]);
            // slither-disable-next-line unused-return
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
        Watermarks.setMinNonce(minNonce, _exitDelay);
    }

    /// @inheritdoc IExit
    function cancelBefore(uint256 timestampMs) external {
        Watermarks.cancelBefore(timestampMs, _exitDelay);
    }

    /// @inheritdoc IExit
    function exitAt(address wallet) external view returns (uint256) {
        return wallet == address(this) ? 0 : _account(wallet).exitAt();
    }

    /// @inheritdoc IExit
    function watermarksOf(address wallet) external view returns (uint256 minNonce, uint256 cancelledBeforeMs) {
        return Watermarks.inForce(uint160(wallet));
    }
}
