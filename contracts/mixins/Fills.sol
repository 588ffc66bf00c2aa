// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Accounts} from "../libraries/Accounts.sol";
import {OrderHash} from "../libraries/OrderHash.sol";
import {SkipReason} from "../libraries/SkipReason.sol";
import {Words} from "../libraries/Words.sol";
import {Configuration} from "../interfaces/IVenue.sol";
import {Exit} from "./Exit.sol";

/// @title Fills: one taker leg against n maker legs, each fill checked in full before its first write.
/// @dev The hot path. What a maker's signature implies (token, side, condition) is not in the calldata: it is derived and
/// hashed, and a wrong derivation is a wrong signature. The taker's words stay in memory for the length of its group and are
/// written at its end; before any foreign code runs they are written and read back.
abstract contract Fills is Exit {
    using Words for uint256;
    using OrderHash for bytes32;

    /// @dev One side of a fill: its order, the three storage words that it touches, and what they become. Assembly knows the
    /// fields by their offsets, 0x20 each in this order.
    struct Leg {
        uint256 scheme;
        uint256 troubles;
        uint256 holder;
        uint256 accountSlot;
        uint256 account;
        uint256 tokenSlot;
        uint256 token;
        uint256 fillSlot;
        uint256 fill;
        uint256 shift;
        uint256 sellAmount;
        uint256 buyAmount;
        uint256 feeRateBps;
        uint256 nextAccount;
        uint256 nextToken;
        uint256 nextFill;
        bytes32 nativeSeparator;
        bytes32 v1Separator;
        bytes32 v2Separator;
    }

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

    uint256 internal constant POOL = 0;
    uint256 internal constant NATIVE = 1;
    uint256 internal constant POLYMARKET_V1 = 2;
    uint256 internal constant POLYMARKET_V2 = 3;

    // Match kinds. COMPLEMENTARY is 0: the same token, other side. MINT and MERGE: the other token, same side.
    uint256 private constant MINT = 1;
    uint256 private constant MERGE = 2;

    // Flags of a packed leg. Bits 2 and 3: outcome and side of a taker, match kind of a maker.
    uint256 private constant SCHEME_MASK = 3;
    uint256 private constant TAKER_NO_BIT = 2;
    uint256 private constant TAKER_SELLS_BIT = 3;
    uint256 private constant APPROVED = 1 << 5;
    uint256 private constant WIDE_SALT = 1 << 6;
    uint256 private constant EXTENDED = 1 << 7;
    uint256 private constant CLOSES_TAKER = 1 << 15;
    uint256 private constant CLOSES_MAKER = 1 << 14;

    uint256 internal constant LOT = 10_000;
    uint256 internal constant PRICE_SCALE = 10_000;
    /// @dev 0.07 of p(1-p): the most that any order pays, whatever it signed.
    uint256 internal constant MAX_FEE_RATE_BPS = 700;
    uint256 internal constant FEE_STEP = 100;
    /// @dev What lots * p * (1 - p) * bps must be divided by to give fee steps: prices are 10^4 each, bps 10^4, and a lot of
    /// 10^4 micros holds 10^2 steps.
    uint256 private constant FEE_SCALE = 1e10;
    /// @dev The pool's leg passes as an order that gives without end and asks for nothing.
    uint256 private constant NO_LIMIT = 1 << 128;
    /// @dev A client's clock may lag behind the block's by this much.
    uint256 internal constant CLOCK_SLACK = 60;

    uint256 private immutable _deploymentChainId;
    bytes32 private immutable _nativeSeparator;
    bytes32 private immutable _v1Separator;
    bytes32 private immutable _v2Separator;
    uint256 private immutable _oldestV2TimestampMs;

    constructor(Configuration memory c) {
        _deploymentChainId = block.chainid;
        _nativeSeparator = _nativeDomain();
        _v1Separator = _polymarketDomain(OrderHash.VERSION_1, c.compatibleChainId, c.compatibleV1);
        _v2Separator = _polymarketDomain(OrderHash.VERSION_2, c.compatibleChainId, c.compatibleV2);
        _oldestV2TimestampMs = (block.timestamp - CLOCK_SLACK) * 1000;
    }

    /// @dev Once per batch: where groups keep their state, and the domains that hold on this chain.
    function _newGroup() internal view returns (Group memory group) {
        (bytes32 native, bytes32 v1, bytes32 v2) = _separators();
        (group.taker.nativeSeparator, group.taker.v1Separator, group.taker.v2Separator) = (native, v1, v2);
        (group.maker.nativeSeparator, group.maker.v1Separator, group.maker.v2Separator) = (native, v1, v2);
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
                    _deliverBought(taker.holder, group.takerId, group.lots * LOT);
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
                uint256 takerPrice = makerId & Accounts.YES != 0 ? price : PRICE_SCALE - price;
                uint256 makerPrice = takerPrice;
                if (kind == 0) {
                    makerSells ^= 1;
                } else {
                    makerId ^= Accounts.YES ^ Accounts.NO;
                    makerPrice = PRICE_SCALE - takerPrice;
                    uint256 ofCondition;
                    (condition, ofCondition) = _readCondition(group.condition, kind, takerSells, lots);
                    troubles |= ofCondition;
                }
                end = _readLeg(maker, offset + 18, record >> 248, makerId, makerSells);
                assembly ("memory-safe") {
                    troubles := or(troubles, shl(4, gt(sub(price, 1), sub(PRICE_SCALE, 2)))) // BAD_PRICE
                    troubles := or(troubles, shl(5, iszero(lots))) // ZERO_AMOUNT
                    troubles := or(troubles, shl(6, eq(mload(add(taker, 0x40)), mload(add(maker, 0x40))))) // SELF_TRADE
                }
                uint256 ofTaker = _advance(taker, takerSells, takerPrice, lots, takerFee, (record >> 247) & 1);
                uint256 ofMaker = _advance(maker, makerSells, makerPrice, lots, makerFee, (record >> 246) & 1);
                if (troubles | ofTaker | ofMaker != 0) return (end, _reason(troubles, ofTaker, ofMaker));
            }

            taker.account = taker.nextAccount;
            taker.token = taker.nextToken;
            taker.fill = taker.nextFill;
            maker.accountSlot.write(maker.nextAccount);
            maker.tokenSlot.write(maker.nextToken);
            if (maker.scheme != POOL) maker.fillSlot.write(maker.nextFill);
            if (kind != 0) {
                uint256 size = lots * LOT;
                Words.conditionSlot(group.condition).write(kind == MINT ? condition + size : condition - size);
            }
            group.lots += lots;
            group.fees += takerFee + makerFee;
            _emitFilled(group, record, number);
            if (maker.account & Words.DELIVERS_FREE != 0 && makerSells == 0) {
                _writeLeg(taker);
                _deliverBought(maker.holder, makerId, lots * LOT);
                _reloadLeg(taker);
            }
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
            if (kind == MERGE && condition & Words.MASK_128 < lots * LOT) {
                troubles |= 1 << SkipReason.INSUFFICIENT_COLLATERAL;
            }
        }
    }

    /// @dev Check that the leg can do its part and compute its next words, without branches. `price` is that of its own
    /// token. Sums stay below the intake limit, and whatever goes below zero sets a bit.
    function _advance(Leg memory leg, uint256 sells, uint256 price, uint256 lots, uint256 fee, uint256 closes)
        private
        pure
        returns (uint256 troubles)
    {
        uint256 onePosition = Words.ONE_POSITION;
        assembly ("memory-safe") {
            troubles := mload(add(leg, 0x20))
            let cost := mul(lots, price)
            let size := mul(lots, LOT)
            let sellAmount := mload(add(leg, 0x140))
            {
                let fill := mload(add(leg, 0x100))
                let shift := mload(add(leg, 0x120))
                let gives := xor(cost, mul(sells, xor(cost, size)))
                let filled := and(shr(shift, fill), 0xffffffffffffffff)
                // ORDER_FILLED
                troubles := or(troubles, shl(14, gt(add(filled, gives), sellAmount)))
                mstore(
                    add(leg, 0x1e0), or(add(fill, shl(shift, gives)), shl(shift, mul(closes, 0xffffffffffffffff)))
                )
            }
            {
                // A buyer: price * buyAmount <= PRICE_SCALE * sellAmount. A seller: PRICE_SCALE * buyAmount <= price * sellAmount.
                let swap := mul(sells, xor(price, PRICE_SCALE))
                let limit := mul(xor(PRICE_SCALE, swap), sellAmount)
                // PRICE_WORSE_THAN_SIGNED
                troubles := or(troubles, shl(15, gt(mul(xor(price, swap), mload(add(leg, 0x160))), limit)))
            }
            if fee {
                let cap := mul(mul(cost, sub(PRICE_SCALE, price)), mload(add(leg, 0x180)))
                cap := mul(div(add(cap, sub(FEE_SCALE, 1)), FEE_SCALE), FEE_STEP)
                // FEE_ABOVE_CAP
                troubles := or(troubles, shl(16, gt(fee, cap)))
            }
            {
                let account := mload(add(leg, 0x80))
                let income := mul(sells, cost)
                let expense := add(fee, sub(cost, income))
                let have := add(and(account, 0xffffffffffffffffffffffff), income)
                // INSUFFICIENT_CASH
                troubles := or(troubles, shl(17, lt(have, expense)))
                let token := mload(add(leg, 0xc0))
                let given := mul(sells, size)
                // INSUFFICIENT_TOKENS
                troubles := or(troubles, shl(18, lt(shr(128, token), given)))
                // A buyer's vault half before, a seller's after: when it is empty, a position opens or closes.
                let left := sub(token, shl(128, given))
                mstore(add(leg, 0x1c0), add(left, shl(128, sub(size, given))))
                let position := mul(iszero(shr(128, left)), onePosition)
                account := sub(add(account, income), expense)
                // Opened for a buyer (+1), closed for a seller (-1).
                mstore(add(leg, 0x1a0), add(account, mul(position, sub(1, shl(1, sells)))))
            }
        }
    }

    function _reason(uint256 troubles, uint256 ofTaker, uint256 ofMaker) private pure returns (uint256) {
        if (troubles != 0) return SkipReason.lowest(troubles);
        if (ofTaker != 0) return SkipReason.lowest(ofTaker) | SkipReason.TAKER;
        return SkipReason.lowest(ofMaker);
    }

    /// @dev Parse a leg, load its words, and find what is wrong with its order by itself. Returns the offset after it.
    /// wallet 160, sell amount 64, buy amount 64, then what its scheme adds, then a signature of 512 unless approved.
    function _readLeg(Leg memory leg, uint256 offset, uint256 flags, uint256 tokenId, uint256 sells)
        private
        view
        returns (uint256)
    {
        unchecked {
            uint256 scheme = flags & SCHEME_MASK;
            leg.scheme = scheme;
            if (scheme == POOL) {
                leg.troubles = 0;
                leg.sellAmount = NO_LIMIT;
                leg.buyAmount = 0;
                leg.feeRateBps = 0;
                leg.fill = 0;
                leg.shift = 0;
                _loadBalances(leg, uint160(address(this)), tokenId);
                return offset;
            }
            uint256 wallet = _word(offset) >> 96;
            _loadBalances(leg, wallet, tokenId);
            uint256 sellAmount = (_word(offset) >> 32) & Words.MASK_64;
            uint256 buyAmount = _word(offset + 4) & Words.MASK_64;
            leg.sellAmount = sellAmount;
            leg.buyAmount = buyAmount;
            assembly ("memory-safe") {
                mstore(add(leg, 0x20), shl(5, or(iszero(sellAmount), iszero(buyAmount)))) // ZERO_AMOUNT
            }
            bytes32 digest;
            bool known;
            if (scheme == NATIVE) {
                (offset, digest) = _readNative(leg, offset + 36, flags, tokenId, sells);
                leg.fill = leg.fillSlot.read();
            } else {
                (offset, digest) = scheme == POLYMARKET_V2
                    ? _readV2(leg, offset + 36, flags, tokenId, sells)
                    : _readV1(leg, offset + 36, flags, tokenId, sells);
                // A word keyed by digest is written only after the signature was found good. (A lane proves nothing.)
                uint256 fill = uint256(digest).read();
                leg.fillSlot = uint256(digest);
                leg.fill = fill;
                leg.shift = 0;
                known = fill != 0;
            }
            if (flags & APPROVED != 0) {
                if (Words.approvalSlot(wallet, digest).read() == 0) leg.troubles |= 1 << SkipReason.NOT_APPROVED;
                return offset;
            }
            if (!known && !digest.isSignedBy(offset, wallet)) leg.troubles |= 1 << SkipReason.BAD_SIGNATURE;
            return offset + 64;
        }
    }

    /// @dev timestamp 48, salt 48 or 256, then metadata and builder code if extended.
    function _readV2(Leg memory leg, uint256 offset, uint256 flags, uint256 tokenId, uint256 sells)
        private
        view
        returns (uint256, bytes32 digest)
    {
        unchecked {
            uint256 stamp = _word(offset) >> 208;
            uint256 salt = (_word(offset) >> 160) & Words.MASK_48;
            offset += 12;
            if (flags & WIDE_SALT != 0) {
                salt = _word(offset - 6);
                offset += 26;
            }
            leg.feeRateBps = MAX_FEE_RATE_BPS;
            bytes32 separator = leg.v2Separator;
            if (separator == 0) leg.troubles |= 1 << SkipReason.DIALECT_OFF;
            if (stamp < _oldestV2TimestampMs) leg.troubles |= 1 << SkipReason.ORDER_TOO_OLD;
            if (leg.account & (Words.EXIT_FIELD | Words.HAS_WATERMARKS) != 0) {
                (, uint256 cancelledBeforeMs) = _watermarks(leg.holder);
                _checkLeaving(leg, stamp, cancelledBeforeMs);
            }
            bytes32 typeHash = OrderHash.V2_ORDER_TYPE;
            assembly ("memory-safe") {
                let m := mload(0x40)
                let wallet := mload(add(leg, 0x40))
                mstore(m, typeHash)
                mstore(add(m, 0x20), salt)
                mstore(add(m, 0x40), wallet)
                mstore(add(m, 0x60), wallet)
                mstore(add(m, 0x80), tokenId)
                mstore(add(m, 0xa0), mload(add(leg, 0x140)))
                mstore(add(m, 0xc0), mload(add(leg, 0x160)))
                mstore(add(m, 0xe0), sells)
                // Signature type 3 for what a contract approved, else 0.
                mstore(add(m, 0x100), mul(3, and(shr(5, flags), 1)))
                mstore(add(m, 0x120), stamp)
                mstore(add(m, 0x140), 0)
                mstore(add(m, 0x160), 0)
                if and(flags, 0x80) {
                    calldatacopy(add(m, 0x140), offset, 0x40)
                    offset := add(offset, 0x40)
                }
                let structHash := keccak256(m, 0x180)
                mstore(m, hex"1901")
                mstore(add(m, 2), separator)
                mstore(add(m, 0x22), structHash)
                digest := keccak256(m, 0x42)
            }
            return (offset, digest);
        }
    }

    /// @dev expiration 40, nonce 48, fee cap bps 16, then the builder code if extended.
    function _readNative(Leg memory leg, uint256 offset, uint256 flags, uint256 tokenId, uint256 sells)
        private
        view
        returns (uint256, bytes32 digest)
    {
        unchecked {
            (uint256 expiration, uint256 nonce, uint256 feeBps) = _readTerms(leg, _word(offset));
            offset += 13;
            bytes32 separator = leg.nativeSeparator;
            bytes32 typeHash = OrderHash.NATIVE_ORDER_TYPE;
            assembly ("memory-safe") {
                let m := mload(0x40)
                mstore(m, typeHash)
                mstore(add(m, 0x20), mload(add(leg, 0x40)))
                mstore(add(m, 0x40), tokenId)
                mstore(add(m, 0x60), sells)
                mstore(add(m, 0x80), mload(add(leg, 0x140)))
                mstore(add(m, 0xa0), mload(add(leg, 0x160)))
                mstore(add(m, 0xc0), nonce)
                mstore(add(m, 0xe0), expiration)
                mstore(add(m, 0x100), feeBps)
                mstore(add(m, 0x120), 0)
                if and(flags, 0x80) {
                    mstore(add(m, 0x120), calldataload(offset))
                    offset := add(offset, 0x20)
                }
                let structHash := keccak256(m, 0x140)
                mstore(m, hex"1901")
                mstore(add(m, 2), separator)
                mstore(add(m, 0x22), structHash)
                digest := keccak256(m, 0x42)
            }
            leg.fillSlot = Words.laneSlot(leg.holder, nonce);
            leg.shift = Words.laneShift(nonce);
            return (offset, digest);
        }
    }

    /// @dev expiration 40, nonce 48, fee rate bps 16, salt 48 or 256.
    function _readV1(Leg memory leg, uint256 offset, uint256 flags, uint256 tokenId, uint256 sells)
        private
        view
        returns (uint256, bytes32 digest)
    {
        unchecked {
            (uint256 expiration, uint256 nonce, uint256 feeBps) = _readTerms(leg, _word(offset));
            uint256 salt = _word(offset + 13);
            if (flags & WIDE_SALT != 0) {
                offset += 45;
            } else {
                salt >>= 208;
                offset += 19;
            }
            bytes32 separator = leg.v1Separator;
            // V1 knows no contract signatures.
            if (separator == 0 || flags & APPROVED != 0) leg.troubles |= 1 << SkipReason.DIALECT_OFF;
            bytes32 typeHash = OrderHash.V1_ORDER_TYPE;
            assembly ("memory-safe") {
                let m := mload(0x40)
                let wallet := mload(add(leg, 0x40))
                mstore(m, typeHash)
                mstore(add(m, 0x20), salt)
                mstore(add(m, 0x40), wallet)
                mstore(add(m, 0x60), wallet)
                mstore(add(m, 0x80), 0)
                mstore(add(m, 0xa0), tokenId)
                mstore(add(m, 0xc0), mload(add(leg, 0x140)))
                mstore(add(m, 0xe0), mload(add(leg, 0x160)))
                mstore(add(m, 0x100), expiration)
                mstore(add(m, 0x120), nonce)
                mstore(add(m, 0x140), feeBps)
                mstore(add(m, 0x160), sells)
                mstore(add(m, 0x180), 0)
                let structHash := keccak256(m, 0x1a0)
                mstore(m, hex"1901")
                mstore(add(m, 2), separator)
                mstore(add(m, 0x22), structHash)
                digest := keccak256(m, 0x42)
            }
            return (offset, digest);
        }
    }

    /// @dev What V1 and native orders sign alike: expiration 40, nonce 48, bps 16. Valid up to and including its last second.
    function _readTerms(Leg memory leg, uint256 word)
        private
        view
        returns (uint256 expiration, uint256 nonce, uint256 feeBps)
    {
        expiration = word >> 216;
        nonce = (word >> 168) & Words.MASK_48;
        feeBps = (word >> 152) & 0xffff;
        assembly ("memory-safe") {
            // The lower of what it signed and the venue's own.
            mstore(add(leg, 0x180), xor(MAX_FEE_RATE_BPS, mul(xor(MAX_FEE_RATE_BPS, feeBps), lt(feeBps, MAX_FEE_RATE_BPS))))
            // ORDER_EXPIRED
            let expired := and(gt(expiration, 0), lt(expiration, timestamp()))
            mstore(add(leg, 0x20), or(mload(add(leg, 0x20)), shl(10, expired)))
        }
        if (leg.account & (Words.EXIT_FIELD | Words.HAS_WATERMARKS) != 0) {
            (uint256 minNonce,) = _watermarks(leg.holder);
            _checkLeaving(leg, nonce, minNonce);
        }
    }

    /// @dev For the few accounts that have an exit or a watermark.
    function _checkLeaving(Leg memory leg, uint256 stampOrNonce, uint256 watermark) private view {
        uint256 exitTime = leg.account.exitAt();
        if (exitTime != 0 && exitTime <= block.timestamp) leg.troubles |= 1 << SkipReason.ACCOUNT_EXITED;
        if (stampOrNonce < watermark) leg.troubles |= 1 << SkipReason.ORDER_CANCELLED;
    }

    function _loadBalances(Leg memory leg, uint256 holder, uint256 tokenId) private view {
        leg.holder = holder;
        uint256 slot = Words.accountSlot(holder);
        leg.accountSlot = slot;
        leg.account = slot.read();
        slot = Words.tokenSlot(holder, tokenId);
        leg.tokenSlot = slot;
        leg.token = slot.read();
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

    function _reloadLeg(Leg memory leg) private view {
        leg.account = leg.accountSlot.read();
        leg.token = leg.tokenSlot.read();
        if (leg.scheme != POOL) leg.fill = leg.fillSlot.read();
    }

    function _writeLeg(Leg memory leg) private {
        leg.accountSlot.write(leg.account);
        leg.tokenSlot.write(leg.token);
        if (leg.scheme != POOL) leg.fillSlot.write(leg.fill);
    }

    /// @dev After a change of the chain id the native domain follows and the Polymarket dialects are off.
    function _separators() internal view returns (bytes32 native, bytes32 v1, bytes32 v2) {
        if (block.chainid != _deploymentChainId) return (_nativeDomain(), 0, 0);
        return (_nativeSeparator, _v1Separator, _v2Separator);
    }

    function _nativeDomain() private view returns (bytes32) {
        return OrderHash.domainSeparator(OrderHash.NATIVE_NAME, OrderHash.VERSION_1, block.chainid, address(this));
    }

    function _polymarketDomain(bytes32 version, uint256 chainId, address verifyingContract)
        private
        pure
        returns (bytes32)
    {
        if (verifyingContract == address(0)) return 0;
        return OrderHash.domainSeparator(OrderHash.POLYMARKET_NAME, version, chainId, verifyingContract);
    }

    function _word(uint256 offset) internal pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(offset)
        }
    }
}
