// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ReentrancyGuardTransient} from "@openzeppelin/contracts/utils/ReentrancyGuardTransient.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IMarkets} from "../interfaces/IMarkets.sol";
import {Accounts} from "../libraries/Accounts.sol";
import {Intake} from "../libraries/Intake.sol";
import {Words} from "../libraries/Words.sol";
import {OutcomeTokens} from "./OutcomeTokens.sol";

/// @title Conditions from preparation to resolution, and full sets of free tokens.
abstract contract Markets is OutcomeTokens, ReentrancyGuardTransient {
    using SafeERC20 for IERC20;
    using Words for uint256;

    /// @inheritdoc IMarkets
    function prepareCondition(bytes32 questionId) external returns (bytes32 conditionId) {
        if (msg.sender != _holderOf(Role.Operator) && msg.sender != _holderOf(Role.Admin)) {
            revert NotRole(Role.Operator, msg.sender);
        }
        conditionId = conditionIdOf(questionId);
        _requireState(conditionId, ConditionState.None);
        _condition(conditionId).write(uint256(ConditionState.Open) << Words.STATE_SHIFT);
        emit ConditionPrepared(conditionId, questionId);
    }

    /// @inheritdoc IMarkets
    function report(bytes32 conditionId, uint256 yesPayoutMicros) external onlyRole(Role.Oracle) {
        if (yesPayoutMicros > Accounts.ONE_DOLLAR) revert PayoutOutOfRange(yesPayoutMicros);
        _requireState(conditionId, ConditionState.Open);
        _setState(conditionId, ConditionState.Reported, yesPayoutMicros);
        emit ResolutionReported(conditionId, yesPayoutMicros);
    }

    /// @inheritdoc IMarkets
    function confirm(bytes32 conditionId, uint256 yesPayoutMicros) external onlyRole(Role.Reviewer) {
        uint256 reported = _requireState(conditionId, ConditionState.Reported);
        if (reported != yesPayoutMicros) revert PayoutMismatch(reported, yesPayoutMicros);
        _setState(conditionId, ConditionState.Resolved, yesPayoutMicros);
        emit ConditionResolved(conditionId, yesPayoutMicros);
    }

    /// @inheritdoc IMarkets
    function reject(bytes32 conditionId) external onlyRole(Role.Reviewer) {
        uint256 reported = _requireState(conditionId, ConditionState.Reported);
        _setState(conditionId, ConditionState.Open, 0);
        emit ResolutionRejected(conditionId, reported);
    }

    /// @inheritdoc IMarkets
    function split(bytes32 conditionId, uint256 amount) external nonReentrant {
        uint256 condition = _condition(conditionId).read();
        if (!Accounts.canMint(condition)) revert WrongConditionState(conditionId, Accounts.stateOf(condition));
        amount = _pull(msg.sender, amount, 0, 0, 0, 0);
        _condition(conditionId).write(condition + amount);
        emit SetsSplit(msg.sender, conditionId, amount);
        (uint256[] memory ids, uint256[] memory amounts) = _sets(conditionId, amount, amount);
        _mintBatch(msg.sender, ids, amounts, "");
    }

    /// @inheritdoc IMarkets
    function merge(bytes32 conditionId, uint256 amount) external nonReentrant {
        if (amount == 0) revert ZeroAmount();
        (uint256[] memory ids, uint256[] memory amounts) = _sets(conditionId, amount, amount);
        _burnBatch(msg.sender, ids, amounts);
        uint256 slot = _condition(conditionId);
        slot.write(slot.read() - amount);
        emit SetsMerged(msg.sender, conditionId, amount);
        _collateral.safeTransfer(msg.sender, amount);
    }

    /// @inheritdoc IMarkets
    function redeem(bytes32 conditionId) external nonReentrant {
        uint256 condition = _condition(conditionId).read();
        if (Accounts.stateOf(condition) != ConditionState.Resolved) {
            revert WrongConditionState(conditionId, Accounts.stateOf(condition));
        }
        uint256 yes = balanceOf(msg.sender, uint256(conditionId) | Accounts.YES);
        uint256 no = balanceOf(msg.sender, uint256(conditionId) | Accounts.NO);
        if (yes | no == 0) revert ZeroAmount();
        (uint256[] memory ids, uint256[] memory amounts) = _sets(conditionId, yes, no);
        _burnBatch(msg.sender, ids, amounts);
        uint256 payout = Accounts.payoutRoundedDown(condition, yes, no);
        _condition(conditionId).write(condition - payout);
        emit Redeemed(msg.sender, conditionId, yes, no, payout);
        _collateral.safeTransfer(msg.sender, payout);
    }

    /// @inheritdoc IMarkets
    function conditionOf(bytes32 conditionId) external view returns (ConditionState, uint256, uint256) {
        uint256 condition = _condition(conditionId).read();
        return (Accounts.stateOf(condition), condition & Words.MASK_128, (condition >> Words.PAYOUT_SHIFT) & Words.MASK_32);
    }

    /// @inheritdoc IMarkets
    function conditionIdOf(bytes32 questionId) public view returns (bytes32) {
        return keccak256(abi.encode(block.chainid, address(this), _salt, questionId)) & ~bytes32(uint256(0xff));
    }

    /// @dev Take collateral in, on a permit if `v` is not zero.
    function _pull(address from, uint256 amount, uint256 deadline, uint8 v, bytes32 r, bytes32 s) internal returns (uint256) {
        return Intake.pull(_collateral, from, amount, deadline, v, r, s);
    }

    function _condition(bytes32 conditionId) internal pure returns (uint256 slot) {
        return Words.conditionSlot(uint256(conditionId));
    }

    function _requireState(bytes32 conditionId, ConditionState wanted) private view returns (uint256 payout) {
        uint256 condition = _condition(conditionId).read();
        if (Accounts.stateOf(condition) != wanted) revert WrongConditionState(conditionId, Accounts.stateOf(condition));
        return (condition >> Words.PAYOUT_SHIFT) & Words.MASK_32;
    }

    function _setState(bytes32 conditionId, ConditionState state, uint256 payout) private {
        uint256 slot = _condition(conditionId);
        slot.write(slot.read() & Words.MASK_128 | payout << Words.PAYOUT_SHIFT | uint256(state) << Words.STATE_SHIFT);
    }

    function _sets(bytes32 conditionId, uint256 yes, uint256 no)
        private
        pure
        returns (uint256[] memory ids, uint256[] memory amounts)
    {
        ids = new uint256[](2);
        amounts = new uint256[](2);
        (ids[0], ids[1]) = (uint256(conditionId) | Accounts.YES, uint256(conditionId) | Accounts.NO);
        (amounts[0], amounts[1]) = (yes, no);
    }
}
