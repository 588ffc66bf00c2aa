// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1271} from "@openzeppelin/contracts/interfaces/IERC1271.sol";
import {ISettlement} from "../interfaces/ISettlement.sol";
import {Actions} from "../libraries/Actions.sol";
import {Leg} from "../libraries/Legs.sol";
import {SkipReason} from "../libraries/SkipReason.sol";
import {Words} from "../libraries/Words.sol";
import {Fills} from "./Fills.sol";
import {Roles} from "./Roles.sol";

/// @title The numbered stream: fills, the pool's own operations, and actions that wallets signed. Read me first.
/// @dev No reentrancy lock here: between operations, and across every call to foreign code, all state is in storage.
abstract contract Settlement is Fills, Roles {
    using Words for uint256;

    /// @dev First byte of a packed fill group; the other kinds are in {Actions}.
    uint256 private constant FILL_GROUP = 0x01;

    /// @inheritdoc ISettlement
    // slither-disable-next-line reentrancy-no-eth
    function settleBatch(uint256 first, bytes calldata operations) external {
        uint256 control = _control;
        if (msg.sender != address(uint160(control))) revert NotOperator(msg.sender);
        uint256 next = (control >> Words.NEXT_SHIFT) & Words.MASK_48;
        if (first != next) revert OutOfOrder(first, next);
        bool poolBlocked;
        bool fillsBlocked;
        if (control & Words.PAUSE_FLAG != 0) {
            (poolBlocked, fillsBlocked) = _paused();
            if (!poolBlocked) control &= ~Words.PAUSE_FLAG;
        }

        unchecked {
            uint256 start;
            assembly ("memory-safe") {
                start := operations.offset
            }
            uint256 count = _word(start) >> 240;
            // The number moves before anything else happens: what runs inside cannot run this batch again.
            _control = control + (count << Words.NEXT_SHIFT);

            uint256 offset = start + 2;
            uint256 end = start + operations.length;
            uint256 number = first;
            uint256 skipped;
            // A cast: a function that is declared to return a struct would zero one first.
            function() internal view returns (uint256) pointer = _allocateGroup;
            function() internal view returns (Group memory) typed;
            assembly ("memory-safe") {
                typed := pointer
            }
            Group memory group = typed();
            while (offset < end) {
                uint256 kind = _word(offset) >> 248;
                if (kind == FILL_GROUP) {
                    uint256 makers;
                    uint256 faults;
                    (offset, makers, faults) = _settleGroup(offset, number, fillsBlocked, group);
                    number += makers;
                    skipped += faults;
                    continue;
                }
                uint256 length;
                uint256 fault;
                if (kind == Actions.WALLET_ACTION) {
                    length = Actions.WALLET_RECORD_BYTES;
                    if ((_word(offset) >> 240) & Actions.APPROVED == 0) length += Actions.SIGNATURE_BYTES;
                } else if (kind >= Actions.POOL_SPLIT && kind <= Actions.POOL_SEND_TOKENS) {
                    length = Actions.POOL_RECORD_BYTES;
                }
                if (length == 0 || offset + length > end) revert MalformedOperations(offset - start);
                bytes calldata record = operations[offset - start:offset - start + length];
                if (kind == Actions.WALLET_ACTION) {
                    fault = Actions.executeWallet(_terms(), number, record);
                } else {
                    fault = poolBlocked ? SkipReason.PAUSED : Actions.executePool(_terms(), number, record);
                }
                if (fault != 0) {
                    emit OperationSkipped(number, uint8(fault));
                    ++skipped;
                }
                offset += length;
                ++number;
            }
            if (offset != end || number != first + count) revert MalformedOperations(offset - start);
            if (skipped != 0) _control += skipped << Words.SKIPPED_SHIFT;
        }
    }

    /// @inheritdoc ISettlement
    function approveOrder(bytes32 digest) external {
        _approve(msg.sender, digest);
    }

    /// @inheritdoc ISettlement
    function approveOrderFor(address wallet, bytes32 digest, bytes calldata signature) external {
        if (IERC1271(wallet).isValidSignature(digest, signature) != IERC1271.isValidSignature.selector) {
            revert SignatureRefused(wallet, digest);
        }
        _approve(wallet, digest);
    }

    /// @inheritdoc ISettlement
    function nextOperation() external view returns (uint256) {
        return (_control >> Words.NEXT_SHIFT) & Words.MASK_48;
    }

    /// @inheritdoc ISettlement
    function skippedOperations() external view returns (uint256) {
        return (_control >> Words.SKIPPED_SHIFT) & Words.MASK_40;
    }

    /// @inheritdoc ISettlement
    function operator() external view returns (address) {
        return address(uint160(_control));
    }

    /// @inheritdoc ISettlement
    function orderFilled(bytes32 digest) external view returns (uint256 filled, bool closed) {
        return _fillState(uint256(digest).read());
    }

    /// @inheritdoc ISettlement
    function v2OrderFilled(address wallet, uint256 timestampMs, bytes32 digest)
        external
        view
        returns (uint256 filled, bool closed)
    {
        // slither-disable-next-line uninitialized-local
        Leg memory leg;
        leg.tagSlot = Words.tagSlot(uint160(wallet), timestampMs);
        leg.fillSlot = uint256(digest);
        _loadTaggedFill(leg);
        return _fillState(leg.fill);
    }

    /// @inheritdoc ISettlement
    function nativeOrderFilled(address wallet, uint256 nonce) external view returns (uint256 filled, bool closed) {
        return _fillState(Words.laneSlot(uint160(wallet), nonce).read() >> Words.laneShift(nonce));
    }

    /// @inheritdoc ISettlement
    function vaultActionUsed(address wallet, uint256 nonce) external view returns (bool) {
        return Words.actionSlot(uint160(wallet), nonce).read() >> (nonce & 0xff) & 1 != 0;
    }

    /// @inheritdoc ISettlement
    function orderApproved(address wallet, bytes32 digest) external view returns (bool) {
        return Words.approvalSlot(uint160(wallet), digest).read() != 0;
    }

    /// @inheritdoc ISettlement
    function domainSeparators() external view returns (bytes32 native, bytes32 v1, bytes32 v2) {
        return _separators();
    }

    function _approve(address wallet, bytes32 digest) private {
        Words.approvalSlot(uint160(wallet), digest).write(1);
        emit OrderApproved(wallet, digest);
    }

    function _terms() private view returns (Actions.Terms memory) {
        (bytes32 native,,) = _separators();
        return Actions.Terms(_collateral, native, _poolOutflowLimit, _poolOutflowWindow);
    }

    function _fillState(uint256 word) private pure returns (uint256 filled, bool closed) {
        filled = word & Words.MASK_64;
        return (filled, filled == Words.MASK_64);
    }
}
