// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Cash and tokens held inside the venue, tradable by signed orders.
/// @dev Assumptions about the collateral: six decimals, no callbacks, no fee on transfer, no rebasing. A fee on transfer is
/// survived (credit = balance delta). A transfer that reverts or returns false blocks only the payment concerned.
/// Safety of the packed words rests on one rule: the venue never takes in more than 2^96 - 1 micros.
interface IVault {
    /// @notice Every credit from outside, numbered without gaps.
    /// @param index 0, 1, 2 ...; `depositCount()` is the next one
    /// @param wallet the vault account credited: the caller, or `pool()`
    /// @param accountReference the custodial account meant, or zero
    /// @param from who paid
    /// @param id 0 for cash, else the token id
    event Deposited(
        uint256 indexed index,
        address indexed wallet,
        bytes32 indexed accountReference,
        address from,
        uint256 id,
        uint256 amount
    );

    /// @notice Tokens meant for `wallet`'s free half stayed in its vault half, because its code refused them.
    event DeliveryRefused(address indexed wallet, uint256 indexed id, uint256 amount);

    error CollateralLimitExceeded(uint256 balance);
    error AccountExiting(address wallet, uint256 exitAt);
    error MissingAccountReference();
    error NotSelf(address caller);
    /// @notice The collateral refused the wallet's permit: another signer, another amount, too late, or used already.
    error PermitRefused(address wallet);

    /// @notice Pull collateral from the caller into its own vault account.
    function deposit(uint256 amount) external;

    /// @notice The same with an ERC-2612 permit. A permit that somebody else has already used is tolerated.
    function depositWithPermit(uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Pull collateral from `wallet` into its own vault account, on its ERC-2612 permit: anybody may send this and pay
    /// the gas. Reverts when the permit was used already, so that an allowance alone is never enough.
    function depositWithPermitOf(address wallet, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;

    /// @notice Pull collateral from the caller into the custody pool, for the custodial account named.
    function depositFor(bytes32 accountReference, uint256 amount) external;

    /// @notice Move the caller's free tokens into its own vault half.
    function depositTokens(uint256 id, uint256 amount) external;

    /// @notice Move the caller's free tokens into the custody pool, for the custodial account named.
    function depositTokensFor(bytes32 accountReference, uint256 id, uint256 amount) external;

    /// @dev Only by the venue itself, with bounded gas, so that a receiver's code cannot harm the batch.
    function deliver(address from, address to, uint256 id, uint256 amount) external;

    function collateral() external view returns (address);

    /// @notice The custody pool's vault account: the venue's own address.
    function pool() external view returns (address);
    function cashOf(address wallet) external view returns (uint256);
    function vaultBalanceOf(address wallet, uint256 id) external view returns (uint256);

    /// @notice Whether bought tokens go to the wallet's free half.
    function deliversFree(address wallet) external view returns (bool);

    /// @notice How many tokens ids `wallet` holds in its vault half.
    function positionsOf(address wallet) external view returns (uint256);
    function depositCount() external view returns (uint256);
}
