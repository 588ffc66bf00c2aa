// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IVault} from "../interfaces/IVault.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {Words} from "../libraries/Words.sol";
import {Markets} from "./Markets.sol";

/// @title Money in, and delivery out of the vault under bounded gas.
abstract contract Vault is Markets {
    using Words for uint256;

    /// @inheritdoc IVault
    function deposit(uint256 amount) external {
        _deposit(msg.sender, amount, 0, 0, 0, 0);
    }

    /// @inheritdoc IVault
    function depositWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external {
        _deposit(msg.sender, amount, deadline, v, r, s);
    }

    /// @inheritdoc IVault
    function depositWithPermitOf(address wallet, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external {
        _deposit(wallet, amount, deadline, v, r, s);
    }

    /// @inheritdoc IVault
    function depositFor(bytes32 accountReference, uint256 amount) external nonReentrant {
        if (accountReference == 0) revert MissingAccountReference();
        _creditCash(address(this), accountReference, msg.sender, _pull(msg.sender, amount, 0, 0, 0, 0));
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

    // slither-disable-next-line reentrancy-benign
    function _deposit(address wallet, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s)
        private
        nonReentrant
    {
        _requireStaying(wallet);
        _creditCash(wallet, 0, wallet, _pull(wallet, amount, deadline, v, r, s));
    }

    function _creditCash(address account, bytes32 accountReference, address from, uint256 amount) private {
        Accounts.addCash(uint160(account), amount);
        _countDeposit(account, accountReference, from, 0, amount);
    }

    function _depositTokens(address wallet, bytes32 accountReference, uint256 id, uint256 amount) private {
        if (amount == 0) revert ZeroAmount();
        _burn(msg.sender, id, amount);
        Accounts.addTokens(uint160(wallet), id, amount);
        _countDeposit(wallet, accountReference, msg.sender, id, amount);
    }

    function _countDeposit(address wallet, bytes32 accountReference, address from, uint256 id, uint256 amount) private {
        uint256 index = _depositCount;
        _depositCount = index + 1;
        emit Deposited(index, wallet, accountReference, from, id, amount);
    }
}
