// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @notice Which separate key does what, how a key is replaced, and the guardian's pause.
/// @dev Assumed: no two roles share a key. The contract does not enforce it, because a test venue may want otherwise.
interface IRoles {
    enum Role {
        Operator,
        Oracle,
        Reviewer,
        Guardian,
        Admin
    }

    /// @notice A role will pass to `account` when it accepts, at `readyAt` or later.
    event RoleProposed(Role indexed role, address indexed account, uint256 readyAt);
    event RoleProposalCancelled(Role indexed role, address indexed account);
    event RoleChanged(Role indexed role, address indexed previous, address indexed account);

    /// @notice Pool operations stop now, fills at `fillsBlockedFrom`; both resume by themselves at `until`.
    event Paused(uint256 fillsBlockedFrom, uint256 until);
    event Unpaused(uint256 nextPauseAllowedAt);

    error NotRole(Role role, address caller);
    error NoProposal(Role role);
    error ProposalNotReady(uint256 readyAt);
    error PauseNotAllowedBefore(uint256 timestamp);
    error NotPaused();
    error ZeroAddress();

    /// @notice Announce a new holder of `role`. Takes twice the exit delay: time to notice, then time to leave.
    function proposeRole(Role role, address account) external;

    /// @notice Drop the pending proposal. The guardian may do it too, so that a stolen admin key is not enough.
    function cancelRoleProposal(Role role) external;

    /// @notice Second step, by the new holder itself, once the proposal is ready.
    function acceptRole(Role role) external;

    /// @notice Stop matching: pool operations at once, fills one settlement deadline later. Never blocks exit, deposits,
    /// wallet-signed vault actions, merge or redeem. Ends by itself after `MAX_PAUSE`; the next one needs a gap of `PAUSE_GAP`.
    function pause() external;

    /// @notice End a pause early.
    function unpause() external;

    /// @notice The operator's statement of custodial liabilities, for inclusion proofs. An event; nothing depends on it.
    function publishLiabilities(bytes32 root, uint256 totalMicros) external;

    event LiabilitiesPublished(bytes32 indexed root, uint256 totalMicros, uint256 nextOperation);

    function holderOf(Role role) external view returns (address);
    function proposalOf(Role role) external view returns (address account, uint256 readyAt);

    /// @return poolBlocked whether pool operations are skipped now
    /// @return fillsBlocked whether fills are skipped now
    /// @return until when the pause ends by itself (0 = never paused)
    function pauseState() external view returns (bool poolBlocked, bool fillsBlocked, uint256 until);
}
