// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IMarkets} from "../interfaces/IMarkets.sol";
import {IVault} from "../interfaces/IVault.sol";
import {ISettlement} from "../interfaces/ISettlement.sol";
import {SkipReason} from "./SkipReason.sol";
import {Words} from "./Words.sol";

/// @title The arithmetic of vault accounts: cash, vault halves, full sets, delivery. No access rules here.
/// @dev Functions that can fail return a skip reason and then have changed nothing: callers in the stream skip, callers
/// outside it revert. Sums cannot overflow: the venue never takes in more than 2^96 - 1 micros.
library Accounts {
    using Words for uint256;

    uint256 internal constant YES = 1;
    uint256 internal constant NO = 2;
    uint256 internal constant ONE_DOLLAR = 1_000_000;

    /// @dev What a receiver's code and our own writes may use together. Ample for a wallet contract, useless to a gas burner.
    uint256 internal constant RECEIVER_GAS = 150_000;
    /// @dev With what the 63/64 rule keeps back, so that our lack of gas never looks like the receiver's refusal.
    uint256 internal constant RECEIVER_GAS_NEEDED = RECEIVER_GAS * 64 / 63 + 30_000;

    function addCash(uint256 holder, uint256 amount) internal {
        uint256 slot = Words.accountSlot(holder);
        slot.write(slot.read() + amount);
    }

    function takeCash(uint256 holder, uint256 amount) internal returns (uint256 fault) {
        uint256 slot = Words.accountSlot(holder);
        uint256 account = slot.read();
        if (account.cash() < amount) return SkipReason.INSUFFICIENT_CASH;
        slot.write(account - amount);
    }

    function addTokens(uint256 holder, uint256 id, uint256 amount) internal {
        if (amount == 0) return;
        uint256 slot = Words.tokenSlot(holder, id);
        uint256 token = slot.read();
        slot.write(token + (amount << Words.VAULT_SHIFT));
        if (token.vaultHalf() == 0) {
            slot = Words.accountSlot(holder);
            slot.write(slot.read() + Words.ONE_POSITION);
        }
    }

    function takeTokens(uint256 holder, uint256 id, uint256 amount) internal returns (uint256 fault) {
        if (amount == 0) return SkipReason.NONE;
        uint256 slot = Words.tokenSlot(holder, id);
        uint256 token = slot.read();
        if (token.vaultHalf() < amount) return SkipReason.INSUFFICIENT_TOKENS;
        token -= amount << Words.VAULT_SHIFT;
        slot.write(token);
        if (token.vaultHalf() == 0) {
            slot = Words.accountSlot(holder);
            slot.write(slot.read() - Words.ONE_POSITION);
        }
    }

    function split(uint256 holder, uint256 conditionId, uint256 amount) internal returns (uint256 fault) {
        if (amount == 0) return SkipReason.ZERO_AMOUNT;
        uint256 slot = Words.conditionSlot(conditionId);
        if (!canMint(slot.read())) return SkipReason.CONDITION_NOT_OPEN;
        fault = takeCash(holder, amount);
        if (fault != 0) return fault;
        slot.write(slot.read() + amount);
        addTokens(holder, conditionId | YES, amount);
        addTokens(holder, conditionId | NO, amount);
    }

    function merge(uint256 holder, uint256 conditionId, uint256 amount) internal returns (uint256 fault) {
        if (amount == 0) return SkipReason.ZERO_AMOUNT;
        uint256 slot = Words.conditionSlot(conditionId);
        uint256 condition = slot.read();
        if (condition & Words.MASK_128 < amount) return SkipReason.INSUFFICIENT_COLLATERAL;
        if (vaultOf(holder, conditionId | NO) < amount) return SkipReason.INSUFFICIENT_TOKENS;
        fault = takeTokens(holder, conditionId | YES, amount);
        if (fault != 0) return fault;
        takeTokens(holder, conditionId | NO, amount);
        slot.write(condition - amount);
        addCash(holder, amount);
    }

    /// @dev Exactly `amount` of one token, so that a deposit on its way cannot change what an operation does.
    function redeem(uint256 holder, uint256 id, uint256 amount) internal returns (uint256 fault, uint256 payout) {
        if (amount == 0) return (SkipReason.ZERO_AMOUNT, 0);
        uint256 slot = Words.conditionSlot((id >> 8) << 8);
        uint256 condition = slot.read();
        if (stateOf(condition) != IMarkets.ConditionState.Resolved) return (SkipReason.CONDITION_NOT_RESOLVED, 0);
        fault = takeTokens(holder, id, amount);
        if (fault != 0) return (fault, 0);
        payout = uint8(id) == YES ? payoutRoundedDown(condition, amount, 0) : payoutRoundedDown(condition, 0, amount);
        slot.write(condition - payout);
        addCash(holder, payout);
    }

    /// @dev Vault half of `from` to free half of `to`. True when it happened; otherwise nothing changed. Code at `to` runs
    /// inside a call to the venue itself: what it breaks is rolled back, what it returns is not copied.
    function tryDeliver(uint256 from, uint256 to, uint256 id, uint256 amount) internal returns (bool) {
        address receiver = address(uint160(to));
        uint256 allowance = gasleft();
        if (receiver.code.length != 0) {
            if (allowance < RECEIVER_GAS_NEEDED) revert ISettlement.InsufficientGas(allowance, RECEIVER_GAS_NEEDED);
            allowance = RECEIVER_GAS;
        }
        try IVault(address(this)).deliver{gas: allowance}(address(uint160(from)), receiver, id, amount) {
            return true;
        } catch {
            return false;
        }
    }

    function vaultOf(uint256 holder, uint256 id) internal view returns (uint256) {
        return Words.tokenSlot(holder, id).read().vaultHalf();
    }

    /// @dev Each side is rounded down by itself; the remainder stays in the condition's collateral.
    function payoutRoundedDown(uint256 condition, uint256 yes, uint256 no) internal pure returns (uint256) {
        uint256 yesPayout = (condition >> Words.PAYOUT_SHIFT) & Words.MASK_32;
        return yes * yesPayout / ONE_DOLLAR + no * (ONE_DOLLAR - yesPayout) / ONE_DOLLAR;
    }

    function stateOf(uint256 condition) internal pure returns (IMarkets.ConditionState) {
        return IMarkets.ConditionState(uint8(condition >> Words.STATE_SHIFT));
    }

    /// @dev Sets can be made while Open or Reported: the reviewer may still send the condition back.
    function canMint(uint256 condition) internal pure returns (bool) {
        IMarkets.ConditionState state = stateOf(condition);
        return state == IMarkets.ConditionState.Open || state == IMarkets.ConditionState.Reported;
    }
}
