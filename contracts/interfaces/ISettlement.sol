// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice One numbered stream of what the engine has decided.
/// @dev The operator chooses what enters the stream and in which order; it can move nothing of a wallet's without that
/// wallet's signature, at no price worse than signed, and no later than the operation's `notAfter`.
/// The packed format of `operations` is written down in docs/contracts.md and implemented by bridge/settlement.py.
interface ISettlement {
    /// @notice One fill. `details`, from the top: spare 56 bits, number 48, taker flags 8, maker flags 8, close bits and YES
    /// price 16, size in lots 40, taker fee 40, maker fee 40 (as packed in the record).
    /// @param taker the arriving side's account; `pool()` for the custodial side
    /// @param maker the resting side's account
    /// @param takerTokenId the token that the taker bought or sold
    event Filled(address indexed taker, address indexed maker, uint256 takerTokenId, uint256 details);

    /// @notice Operation `number` failed a check and changed nothing. `reason` is from libraries/SkipReason.sol; + 128 when
    /// the taker's leg failed.
    event OperationSkipped(uint256 indexed number, uint8 reason);

    /// @notice The custody pool did something. `amount` is the payout for a redemption.
    event PoolActionExecuted(uint256 indexed number, uint8 action, uint256 id, uint256 amount, address indexed to);

    /// @notice A wallet's signed action was executed. `amount` is the payout for a redemption.
    event VaultActionExecuted(
        uint256 indexed number, address indexed wallet, uint8 kind, uint256 id, uint256 amount, address to
    );

    /// @notice `wallet` (code, not a key) stands behind `digest`: an order of V2 type 3, a native order or a vault action.
    event OrderApproved(address indexed wallet, bytes32 indexed digest);

    error NotOperator(address caller);
    error OutOfOrder(uint256 first, uint256 next);

    /// @notice The packed bytes do not parse, at this offset or at their end. The whole batch reverts.
    error MalformedOperations(uint256 offset);
    error InsufficientGas(uint256 have, uint256 need);
    error SignatureRefused(address wallet, bytes32 digest);

    /// @notice Execute operations `first`, `first + 1`, ... Reverts whole unless `first` is the next number, so that a batch
    /// sent twice or early does nothing. Each operation that fails its checks is skipped, the others land.
    function settleBatch(uint256 first, bytes calldata operations) external;

    /// @notice Called by a contract wallet: approve a digest for good. It cannot be withdrawn, only cancelled by watermark,
    /// expiry or exit, like any signature.
    function approveOrder(bytes32 digest) external;

    /// @notice Ask `wallet` by ERC-1271 once and record its yes. Anybody may pay for the question.
    function approveOrderFor(address wallet, bytes32 digest, bytes calldata signature) external;

    function nextOperation() external view returns (uint256);
    function skippedOperations() external view returns (uint256);
    function operator() external view returns (address);

    /// @notice What a V1 order has given so far, in the asset it gives, and whether it is closed.
    function orderFilled(bytes32 digest) external view returns (uint256 filled, bool closed);

    /// @notice The same for a V2 order; `closed` also once it is filled in full, and `filled` is then all ones.
    /// @param timestampMs the one that the order signs: with the wallet it names the word of tags
    function v2OrderFilled(address wallet, uint256 timestampMs, bytes32 digest)
        external
        view
        returns (uint256 filled, bool closed);

    /// @notice The same for a native order, whose state belongs to (wallet, nonce).
    function nativeOrderFilled(address wallet, uint256 nonce) external view returns (uint256 filled, bool closed);
    function vaultActionUsed(address wallet, uint256 nonce) external view returns (bool);
    function orderApproved(address wallet, bytes32 digest) external view returns (bool);

    /// @return native separator of {name: Causeway, version: 1, chainId, venue}
    /// @return v1 zero when the dialect is off
    /// @return v2 zero when the dialect is off
    function domainSeparators() external view returns (bytes32 native, bytes32 v1, bytes32 v2);
}
