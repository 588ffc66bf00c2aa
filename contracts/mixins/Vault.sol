// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Permit.sol";
import {IVault} from "../interfaces/IVault.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {Words} from "../libraries/Words.sol";
import {Markets} from "./Markets.sol";

/// @title Money in, and delivery out of the vault under bounded gas.
abstract contract Vault is Markets {
    using Words for uint256;

    /// @inheritdoc IVault
    function deposit(uint256 amount) external nonReentrant {
        _deposit(amount);
    }

    /// @inheritdoc IVault
    // slither-disable-next-line reentrancy-benign
    function depositWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external nonReentrant {
        try IERC20Permit(address(_collateral)).permit(msg.sender, address(this), amount, deadline, v, r, s) {} catch {}
        _deposit(amount);
    }

    /// @inheritdoc IVault
    function depositFor(bytes32 accountReference, uint256 amount) external nonReentrant {
        if (accountReference == 0) revert MissingAccountReference();
        uint256 received = _pullCollateral(amount);
        Accounts.addCash(uint160(address(this)), received);
        _countDeposit(address(this), accountReference, 0, received);
    }

    /// @inheritdoc IVault
    function depositTokens(uint256 id, uint256 amount) external nonReentrant {
        _requireStaying(msg.sender);
        _depositTokens(msg.sender, 0, id, amount);
    }

    /// @inheritdoc IVault
    function depositTokensFor(bytes32 accountReference, uint256 id, uint256 amount) external nonReentrant {
        if (accountReference == 0) revert MissingAccountReference();
        _depositTokens(address(this), accountReference, id, amount);
    }

    /// @inheritdoc IVault
    function deliver(address from, address to, uint256 id, uint256 amount) external {
        if (msg.sender != address(this)) revert NotSelf(msg.sender);
        if (Accounts.takeTokens(uint160(from), id, amount) != 0) {
            revert InsufficientTokens(id, Accounts.vaultOf(uint160(from), id), amount);
        }
        _mint(to, id, amount, "");
    }

    /// @inheritdoc IVault
    function collateral() external view returns (address) {
        return address(_collateral);
    }

    /// @inheritdoc IVault
    function pool() external view returns (address) {
        return address(this);
    }

    /// @inheritdoc IVault
    function cashOf(address wallet) external view returns (uint256) {
        return _account(wallet).cash();
    }

    /// @inheritdoc IVault
    function vaultBalanceOf(address wallet, uint256 id) external view returns (uint256) {
        return Accounts.vaultOf(uint160(wallet), id);
    }

    /// @inheritdoc IVault
    function deliversFree(address wallet) external view returns (bool) {
        return _account(wallet) & Words.DELIVERS_FREE != 0;
    }

    /// @inheritdoc IVault
    function positionsOf(address wallet) external view returns (uint256) {
        return _account(wallet).positions();
    }

    /// @inheritdoc IVault
    function depositCount() external view returns (uint256) {
        return _depositCount;
    }

    function _requireStaying(address wallet) internal view {
        uint256 exitTime = _account(wallet).exitAt();
        if (exitTime != 0) revert AccountExiting(wallet, exitTime);
    }

    function _deposit(uint256 amount) private {
        _requireStaying(msg.sender);
        uint256 received = _pullCollateral(amount);
        Accounts.addCash(uint160(msg.sender), received);
        _countDeposit(msg.sender, 0, 0, received);
    }

    function _depositTokens(address wallet, bytes32 accountReference, uint256 id, uint256 amount) private {
        if (amount == 0) revert ZeroAmount();
        _burn(msg.sender, id, amount);
        Accounts.addTokens(uint160(wallet), id, amount);
        _countDeposit(wallet, accountReference, id, amount);
    }

    function _countDeposit(address wallet, bytes32 accountReference, uint256 id, uint256 amount) private {
        uint256 index = _depositCount;
        _depositCount = index + 1;
        emit Deposited(index, wallet, accountReference, msg.sender, id, amount);
    }
}
