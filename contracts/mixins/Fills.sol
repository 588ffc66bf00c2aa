// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Accounts} from "../libraries/Accounts.sol";
import {Leg, Legs} from "../libraries/Legs.sol";
import {Outflow} from "../libraries/Outflow.sol";
import {SkipReason} from "../libraries/SkipReason.sol";
import {Words} from "../libraries/Words.sol";
import {Orders} from "./Orders.sol";

/// @title Fills: one taker leg against n maker legs, each fill checked in full before its first write.
/// @dev The hot path. The taker's words stay in memory for the length of its group and are written at its end; before any
/// foreign code runs they are written and read back.
abstract contract Fills is Orders {
    using Legs for Leg;
    using Outflow for uint256;
    using Words for uint256;

    /// @dev What is common to the fills of one group.
    struct Group {
        uint256 troubles;
        uint256 condition;
        uint256 takerId;
        uint256 takerSells;
        uint256 takerFlags;
        uint256 fees;
        uint256 lots;
        Leg taker;
        Leg maker;
    }

    // Bits of the taker's flags.
    uint256 private constant TAKER_NO_BIT = 2;
    uint256 private constant TAKER_SELLS_BIT = 3;

    // Match kinds. COMPLEMENTARY is 0: the same token, other side. MINT and MERGE: the other token, same side.
    uint256 private constant MINT = 1;
    uint256 private constant MERGE = 2;

    /// @dev Once per batch: where groups keep their state, and the domains that hold on this chain. Not zeroed, which costs
    /// 900 gas a batch: a group and a leg write each field before they read it.
    function _allocateGroup() internal view returns (uint256 pointer) {
        (bytes32 native, bytes32 v1, bytes32 v2) = _separators();
        assembly ("memory-safe") {
            function separate(leg, ofNative, ofV1, ofV2) {
                mstore(add(leg, 0x200), ofNative)
                mstore(add(leg, 0x220), ofV1)
                mstore(add(leg, 0x240), ofV2)
            }
            pointer := mload(0x40)
            let taker := add(pointer, 0x120)
            let maker := add(taker, 0x2a0)
            mstore(0x40, add(maker, 0x2a0))
            mstore(add(pointer, 0xe0), taker)
            mstore(add(pointer, 0x100), maker)
            separate(taker, native, v1, v2)
            separate(maker, native, v1, v2)
        }
    }

    /// @dev Executes the group packed at calldata `offset`; its fills carry the numbers from `number`.
    /// Header: kind 8, notAfter 40, makers 8, taker flags 8, condition 248, then the taker's order.
    function _settleGroup(uint256 offset, uint256 number, bool blocked, Group memory group)
        internal
        returns (uint256 end, uint256 makers, uint256 skipped)
    {
        unchecked {
            uint256 head = _word(offset);
            makers = uint8(head >> 200);
            uint256 flags = uint8(head >> 192);
            group.takerFlags = flags;
            group.condition = (_word(offset + 8) >> 8) << 8;
            group.takerId = group.condition | (Accounts.YES + ((flags >> TAKER_NO_BIT) & 1));
            group.takerSells = (flags >> TAKER_SELLS_BIT) & 1;
            group.fees = 0;
            group.lots = 0;
            group.troubles = 0;
            if (blocked) group.troubles = 1 << SkipReason.PAUSED;
            if (block.timestamp > (head >> 208) & Words.MASK_40) group.troubles |= 1 << SkipReason.TOO_LATE;
            Leg memory taker = group.taker;
            offset = _readLeg(taker, offset + 39, flags, group.takerId, group.takerSells);

            for (uint256 stop = number + makers; number != stop; ++number) {
                uint256 fault;
                (offset, fault) = _settleFill(group, offset, number);
                if (fault != 0) {
                    emit OperationSkipped(number, uint8(fault));
                    ++skipped;
                }
            }
            if (group.lots != 0) {
                _writeLeg(taker);
                if (group.fees != 0) Accounts.addCash(uint160(address(this)), group.fees);
                if (taker.account & Words.DELIVERS_FREE != 0 && group.takerSells == 0) {
                    _deliverBought(taker.holder, group.takerId, group.lots * Legs.LOT);
                }
            }
            return (offset, makers, skipped);
        }
    }

    /// @dev One maker's record. flags 8, close bits and YES price 16, lots 40, taker fee 40, maker fee 40, then its order.
    /// Straight through: every check sets a bit, and one branch asks whether any did.
    function _settleFill(Group memory group, uint256 offset, uint256 number)
        private
        returns (uint256 end, uint256 fault)
    {
        unchecked {
            Leg memory taker = group.taker;
            Leg memory maker = group.maker;
            uint256 record = _word(offset);
            uint256 kind = (record >> 250) & 3;
            uint256 price = (record >> 232) & 0x3fff;
            uint256 lots = (record >> 192) & Words.MASK_40;
            uint256 takerFee = (record >> 152) & Words.MASK_40;
            uint256 makerFee = (record >> 112) & Words.MASK_40;
            uint256 takerSells = group.takerSells;
            uint256 makerSells = takerSells;
            uint256 makerId = group.takerId;
            uint256 troubles = group.troubles;
            uint256 condition;
            {
                if ((record >> 248) & SCHEME_MASK == POOL) _bookFees(group);
                uint256 takerPrice = makerId & Accounts.YES != 0 ? price : Legs.PRICE_SCALE - price;
                uint256 makerPrice = takerPrice;
                if (kind == 0) {
                    // slither-disable-next-line incorrect-exp
                    makerSells ^= 1;
                } else {
                    makerId ^= Accounts.YES ^ Accounts.NO;
                    makerPrice = Legs.PRICE_SCALE - takerPrice;
                    uint256 ofCondition;
                    (condition, ofCondition) = _readCondition(group.condition, kind, takerSells, lots);
                    troubles |= ofCondition;
                }
                end = _readLeg(maker, offset + 18, record >> 248, makerId, makerSells);
                uint256 scale = Legs.PRICE_SCALE;
                assembly ("memory-safe") {
                    troubles := or(troubles, shl(4, gt(sub(price, 1), sub(scale, 2)))) // BAD_PRICE
                    troubles := or(troubles, shl(5, iszero(lots))) // ZERO_AMOUNT
                    troubles := or(troubles, shl(6, eq(mload(add(taker, 0x40)), mload(add(maker, 0x40))))) // SELF_TRADE
                }
                uint256 ofTaker = taker.advance(takerSells, takerPrice, lots, takerFee, (record >> 247) & 1);
                uint256 ofMaker = maker.advance(makerSells, makerPrice, lots, makerFee, (record >> 246) & 1);
                if (taker.scheme == POOL) ofTaker |= _countLoss(taker, takerSells, takerPrice, lots);
                else if (maker.scheme == POOL) ofMaker |= _countLoss(maker, makerSells, makerPrice, lots);
                if (troubles | ofTaker | ofMaker != 0) return (end, _reason(troubles, ofTaker, ofMaker));
            }

            taker.account = taker.nextAccount;
            taker.token = taker.nextToken;
            taker.fill = taker.nextFill;
            maker.accountSlot.write(maker.nextAccount);
            maker.tokenSlot.write(maker.nextToken);
            if (maker.scheme == POLYMARKET_V2) _writeTaggedFill(maker, maker.nextFill);
            else if (maker.scheme != POOL) maker.fillSlot.write(maker.nextFill);
            if (kind != 0) {
                uint256 size = lots * Legs.LOT;
                Words.conditionSlot(group.condition).write(kind == MINT ? condition + size : condition - size);
            }
            group.lots += lots;
            group.fees += takerFee + makerFee;
            _emitFilled(group, record, number);
            if (maker.account & Words.DELIVERS_FREE != 0 && makerSells == 0) {
                _writeLeg(taker);
                _deliverBought(maker.holder, makerId, lots * Legs.LOT);
                _reloadLeg(taker);
            }
        }
    }

    /// @dev The pool signs nothing, so its side of a fill counts in its outflow with the most that it can lose: what it pays,
    /// for a token may turn out to be worth nothing; or what it gives beyond what it gets, for it may be worth a dollar.
    function _countLoss(Leg memory leg, uint256 sells, uint256 price, uint256 lots)
        private
        view
        returns (uint256 troubles)
    {
        unchecked {
            uint256 loss = lots * (sells == 0 ? price : Legs.PRICE_SCALE - price);
            bool fits;
            (leg.nextAccount, fits) = leg.nextAccount.count(loss, _poolOutflowLimit, _poolOutflowWindow);
            if (!fits) troubles = 1 << SkipReason.OUTFLOW_LIMIT;
        }
    }

    /// @dev What the pool has earned in this group belongs in its word before that is read.
    function _bookFees(Group memory group) private {
        if (group.fees == 0) return;
        if (group.taker.scheme == POOL) group.taker.account += group.fees;
        else Accounts.addCash(uint160(address(this)), group.fees);
        group.fees = 0;
    }

    function _readCondition(uint256 conditionId, uint256 kind, uint256 takerSells, uint256 lots)
        private
        view
        returns (uint256 condition, uint256 troubles)
    {
        unchecked {
            if (kind != MINT + takerSells) return (0, 1 << SkipReason.BAD_KIND);
            condition = Words.conditionSlot(conditionId).read();
            if (!Accounts.canMint(condition)) troubles = 1 << SkipReason.CONDITION_NOT_OPEN;
            if (kind == MERGE && condition & Words.MASK_128 < lots * Legs.LOT) {
                troubles |= 1 << SkipReason.INSUFFICIENT_COLLATERAL;
            }
        }
    }

    function _reason(uint256 troubles, uint256 ofTaker, uint256 ofMaker) private pure returns (uint256) {
        if (troubles != 0) return SkipReason.lowest(troubles);
        if (ofTaker != 0) return SkipReason.lowest(ofTaker) | SkipReason.TAKER;
        return SkipReason.lowest(ofMaker);
    }

    function _deliverBought(uint256 holder, uint256 id, uint256 amount) private {
        address wallet = address(uint160(holder));
        if (!Accounts.tryDeliver(holder, holder, id, amount)) emit DeliveryRefused(wallet, id, amount);
    }

    function _emitFilled(Group memory group, uint256 record, uint256 number) private {
        uint256 details = number << 152 | group.takerFlags << 144 | record >> 112;
        bytes32 topic = Filled.selector;
        uint256 taker = group.taker.holder;
        uint256 maker = group.maker.holder;
        uint256 takerId = group.takerId;
        assembly ("memory-safe") {
            mstore(0, takerId)
            mstore(0x20, details)
            log3(0, 0x40, topic, taker, maker)
        }
    }
}
