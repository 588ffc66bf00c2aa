// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Why an operation was skipped. Mirrored by `SkipReason` in bridge/settlement.py; numbers never change meaning.
/// @dev Checks of a fill set bit number `reason` of a word; the lowest bit set is the one reported.
library SkipReason {
    uint256 internal constant NONE = 0;
    /// The operation's `notAfter`, or a vault action's deadline, is past.
    uint256 internal constant TOO_LATE = 1;
    uint256 internal constant PAUSED = 2;
    /// The match kind does not go with the taker's side, or an action kind is unknown.
    uint256 internal constant BAD_KIND = 3;
    uint256 internal constant BAD_PRICE = 4;
    uint256 internal constant ZERO_AMOUNT = 5;
    /// The same account on both sides, the pool included.
    uint256 internal constant SELF_TRADE = 6;
    uint256 internal constant DIALECT_OFF = 7;
    uint256 internal constant BAD_SIGNATURE = 8;
    /// A contract wallet has not approved the digest.
    uint256 internal constant NOT_APPROVED = 9;
    uint256 internal constant ORDER_EXPIRED = 10;
    /// Below the wallet's nonce or timestamp watermark.
    uint256 internal constant ORDER_CANCELLED = 11;
    /// A V2 timestamp from before this deployment.
    uint256 internal constant ORDER_TOO_OLD = 12;
    uint256 internal constant ACCOUNT_EXITED = 13;
    /// Less is left of the signed amount than the fill needs, or the order is closed.
    uint256 internal constant ORDER_FILLED = 14;
    uint256 internal constant PRICE_WORSE_THAN_SIGNED = 15;
    uint256 internal constant FEE_ABOVE_CAP = 16;
    uint256 internal constant INSUFFICIENT_CASH = 17;
    uint256 internal constant INSUFFICIENT_TOKENS = 18;
    uint256 internal constant CONDITION_NOT_OPEN = 19;
    uint256 internal constant CONDITION_NOT_RESOLVED = 20;
    uint256 internal constant INSUFFICIENT_COLLATERAL = 21;
    uint256 internal constant OUTFLOW_LIMIT = 22;
    uint256 internal constant BAD_RECEIVER = 23;
    /// The receiver's code refused the tokens.
    uint256 internal constant RECEIVER_REFUSED = 24;
    /// The collateral refused the payment.
    uint256 internal constant TRANSFER_FAILED = 25;
    uint256 internal constant NONCE_USED = 26;

    /// Added when the reason lies with the taker's leg of a fill.
    uint256 internal constant TAKER = 128;

    /// @notice The lowest bit set in `troubles`, which is not zero.
    function lowest(uint256 troubles) internal pure returns (uint256 reason) {
        while (troubles & 1 == 0) {
            troubles >>= 1;
            ++reason;
        }
    }
}
