// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IMarkets} from "../interfaces/IMarkets.sol";
import {IVault} from "../interfaces/IVault.sol";
import {Words} from "./Words.sol";

/// @title Collateral in, with or without a permit.
/// @dev Linked, so that the venue stays under its size limit; it runs under the venue's reentrancy lock.
library Intake {
    using SafeERC20 for IERC20;

    /// @notice Take collateral in from `from`, who allowed it, and return what arrived. The limit makes every later addition
    /// safe. With a `v` a permit goes before: the caller's own may have been used by somebody else already, and is then
    /// tolerated; of others an allowance alone, given for something else, is not enough.
    function pull(IERC20 collateral, address from, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        external
        returns (uint256 received)
    {
        if (v != 0) {
            try IERC20Permit(address(collateral)).permit(from, address(this), amount, deadline, v, r, s) {}
            catch {
                if (from != msg.sender) revert IVault.PermitRefused(from);
            }
        } else if (from != msg.sender) {
            revert IVault.PermitRefused(from);
        }
        uint256 before = collateral.balanceOf(address(this));
        // `from` is the caller, or gave its permit for exactly this in the same call.
        // slither-disable-next-line arbitrary-send-erc20,arbitrary-send-erc20-permit
        collateral.safeTransferFrom(from, address(this), amount);
        uint256 balance = collateral.balanceOf(address(this));
        if (balance > Words.MASK_96) revert IVault.CollateralLimitExceeded(balance);
        received = balance - before;
        // slither-disable-next-line incorrect-equality
        if (received == 0) revert IMarkets.ZeroAmount();
    }
}
