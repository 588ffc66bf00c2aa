// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Leaving without the operator, and cancelling without the operator. Both take `exitDelay`, which is longer than
/// the settlement deadline: what was matched before settles, what comes later cannot.
interface IExit {
    event ExitRequested(address indexed wallet, uint256 effectiveAt);

    /// @param cash collateral paid out
    /// @param finished true when nothing is left in the vault: the account is fresh again and may deposit
    event Exited(address indexed wallet, uint256 cash, uint256[] ids, bool finished);
    event MinNonceSet(address indexed wallet, uint256 minNonce, uint256 effectiveAt);
    event CancelledBefore(address indexed wallet, uint256 timestampMs, uint256 effectiveAt);

    error ExitAlreadyRequested(uint256 exitAt);
    error ExitNotReady(uint256 exitAt);
    error WatermarkPending(uint256 effectiveAt);
    error WatermarkNotRaised(uint256 current, uint256 requested);
    error WatermarkTooHigh(uint256 requested, uint256 highest);

    /// @notice Start the exit. Until it is effective the account trades on, but takes no deposits.
    function requestExit() external;

    /// @notice After the delay: pay out all cash and the vault half of every token in `ids`. May be repeated with other ids;
    /// the call that takes the last of it resets the account. Old orders stay as they were: raise the watermarks to end them.
    /// A caller whose code refuses ERC-1155 tokens can still call with no ids; collateral that refuses to pay holds back no tokens.
    function exit(uint256[] calldata ids) external;

    /// @notice Orders that carry a nonce below `minNonce` (V1 and native) are void once `exitDelay` has passed.
    function setMinNonce(uint256 minNonce) external;

    /// @notice V2 orders with a timestamp before `timestampMs` are void once `exitDelay` has passed.
    function cancelBefore(uint256 timestampMs) external;

    /// @notice When the wallet's exit becomes effective; 0 when none was requested.
    function exitAt(address wallet) external view returns (uint256);

    /// @notice The watermarks in force now.
    function watermarksOf(address wallet) external view returns (uint256 minNonce, uint256 cancelledBeforeMs);
}
