// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IRoles} from "../interfaces/IRoles.sol";
import {Words} from "../libraries/Words.sol";
import {VenueBase} from "./VenueBase.sol";

/// @title Replacing keys, slowly, and pausing, briefly.
abstract contract Roles is VenueBase {
    struct Proposal {
        address account;
        uint64 readyAt;
    }

    struct PauseTimes {
        uint64 fillsBlockedFrom;
        uint64 until;
        uint64 nextAllowedAt;
    }

    uint256 internal constant MAX_PAUSE = 7 days;
    uint256 internal constant PAUSE_GAP = 1 days;

    mapping(Role role => Proposal) private _proposals;
    PauseTimes private _pause;

    /// @inheritdoc IRoles
    function proposeRole(Role role, address account) external onlyRole(Role.Admin) {
        if (account == address(0)) revert ZeroAddress();
        uint64 readyAt = uint64(block.timestamp + 2 * _exitDelay);
        _proposals[role] = Proposal(account, readyAt);
        emit RoleProposed(role, account, readyAt);
    }

    /// @inheritdoc IRoles
    function cancelRoleProposal(Role role) external {
        if (msg.sender != _holderOf(Role.Admin) && msg.sender != _holderOf(Role.Guardian)) {
            revert NotRole(Role.Guardian, msg.sender);
        }
        address account = _proposals[role].account;
        if (account == address(0)) revert NoProposal(role);
        delete _proposals[role];
        emit RoleProposalCancelled(role, account);
    }

    /// @inheritdoc IRoles
    function acceptRole(Role role) external {
        Proposal memory proposal = _proposals[role];
        if (proposal.account == address(0)) revert NoProposal(role);
        if (msg.sender != proposal.account) revert NotRole(role, msg.sender);
        if (block.timestamp < proposal.readyAt) revert ProposalNotReady(proposal.readyAt);
        address previous = _holderOf(role);
        delete _proposals[role];
        if (role == Role.Operator) _control = (_control & ~uint256(type(uint160).max)) | uint160(msg.sender);
        else _holders[role] = msg.sender;
        emit RoleChanged(role, previous, msg.sender);
    }

    /// @inheritdoc IRoles
    function pause() external onlyRole(Role.Guardian) {
        if (block.timestamp < _pause.nextAllowedAt) revert PauseNotAllowedBefore(_pause.nextAllowedAt);
        uint256 fillsBlockedFrom = block.timestamp + _settlementDeadline;
        uint256 until = fillsBlockedFrom + MAX_PAUSE;
        _pause = PauseTimes(uint64(fillsBlockedFrom), uint64(until), uint64(until + PAUSE_GAP));
        _control |= Words.PAUSE_FLAG;
        emit Paused(fillsBlockedFrom, until);
    }

    /// @inheritdoc IRoles
    function unpause() external onlyRole(Role.Guardian) {
        if (block.timestamp >= _pause.until) revert NotPaused();
        uint256 nextAllowedAt = block.timestamp + PAUSE_GAP;
        _pause.until = uint64(block.timestamp);
        _pause.nextAllowedAt = uint64(nextAllowedAt);
        _control &= ~Words.PAUSE_FLAG;
        emit Unpaused(nextAllowedAt);
    }

    /// @inheritdoc IRoles
    function publishLiabilities(bytes32 root, uint256 totalMicros) external onlyRole(Role.Operator) {
        emit LiabilitiesPublished(root, totalMicros, (_control >> Words.NEXT_SHIFT) & Words.MASK_48);
    }

    /// @inheritdoc IRoles
    function holderOf(Role role) external view returns (address) {
        return _holderOf(role);
    }

    /// @inheritdoc IRoles
    function proposalOf(Role role) external view returns (address account, uint256 readyAt) {
        Proposal memory proposal = _proposals[role];
        return (proposal.account, proposal.readyAt);
    }

    /// @inheritdoc IRoles
    function pauseState() external view returns (bool poolBlocked, bool fillsBlocked, uint256 until) {
        (poolBlocked, fillsBlocked) = _paused();
        return (poolBlocked, fillsBlocked, _pause.until);
    }

    /// @dev Settlement asks only while the control word's flag is set, which outlives the pause itself.
    function _paused() internal view returns (bool poolBlocked, bool fillsBlocked) {
        PauseTimes memory times = _pause;
        poolBlocked = block.timestamp < times.until;
        fillsBlocked = poolBlocked && block.timestamp >= times.fillsBlockedFrom;
    }
}
