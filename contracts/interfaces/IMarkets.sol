// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Conditions and their full sets: prepare, split, merge, report, confirm, redeem.
/// @dev `conditionId = keccak256(abi.encode(block.chainid, venue, salt, questionId))` with the last byte zeroed;
/// `tokenId = conditionId | outcome`, YES = 1, NO = 2. A condition id names its deployment, so an order signed for one
/// deployment is worth nothing on another.
interface IMarkets {
    /// @dev None: never prepared. Open: sets can be made. Reported: the oracle spoke, the reviewer has not. Resolved: final.
    enum ConditionState {
        None,
        Open,
        Reported,
        Resolved
    }

    event ConditionPrepared(bytes32 indexed conditionId, bytes32 indexed questionId);
    event ResolutionReported(bytes32 indexed conditionId, uint256 yesPayoutMicros);
    event ResolutionRejected(bytes32 indexed conditionId, uint256 yesPayoutMicros);
    event ConditionResolved(bytes32 indexed conditionId, uint256 yesPayoutMicros);

    /// @notice A holder's free collateral became free tokens of both outcomes, or back.
    event SetsSplit(address indexed holder, bytes32 indexed conditionId, uint256 amount);
    event SetsMerged(address indexed holder, bytes32 indexed conditionId, uint256 amount);
    event Redeemed(address indexed holder, bytes32 indexed conditionId, uint256 yesAmount, uint256 noAmount, uint256 payout);

    error WrongConditionState(bytes32 conditionId, ConditionState state);
    error PayoutOutOfRange(uint256 yesPayoutMicros);
    error PayoutMismatch(uint256 reported, uint256 confirmed);
    error InsufficientTokens(uint256 id, uint256 have, uint256 need);
    error ZeroAmount();

    /// @notice Open a market's condition. By the operator or the admin.
    function prepareCondition(bytes32 questionId) external returns (bytes32 conditionId);

    /// @notice Turn the caller's collateral into the same amount of free YES and free NO.
    function split(bytes32 conditionId, uint256 amount) external;

    /// @notice Turn equal amounts of the caller's free YES and NO back into collateral. Possible in every state.
    function merge(bytes32 conditionId, uint256 amount) external;

    /// @notice Burn all of the caller's free tokens of a resolved condition and pay their worth, rounded down per side.
    function redeem(bytes32 conditionId) external;

    /// @notice The oracle's answer: what one YES pays, 0 to 1,000,000 micros; one NO pays the rest.
    /// Warning: report only after the market's last fill is final. Fills that move tokens do not read the condition.
    function report(bytes32 conditionId, uint256 yesPayoutMicros) external;

    /// @notice The reviewer repeats the oracle's answer, which makes it final.
    function confirm(bytes32 conditionId, uint256 yesPayoutMicros) external;

    /// @notice The reviewer sends the condition back to the oracle.
    function reject(bytes32 conditionId) external;

    /// @return state see {ConditionState}
    /// @return collateral_ cash held against the condition's tokens, rounding remainders included
    /// @return yesPayout the reported or final payout of one YES in micros; meaningless while Open
    function conditionOf(bytes32 conditionId)
        external
        view
        returns (ConditionState state, uint256 collateral_, uint256 yesPayout);

    function conditionIdOf(bytes32 questionId) external view returns (bytes32);
}
