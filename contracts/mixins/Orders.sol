// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Configuration} from "../interfaces/IVenue.sol";
import {Leg} from "../libraries/Legs.sol";
import {OrderHash} from "../libraries/OrderHash.sol";
import {SkipReason} from "../libraries/SkipReason.sol";
import {Watermarks} from "../libraries/Watermarks.sol";
import {Words} from "../libraries/Words.sol";
import {Exit} from "./Exit.sol";

/// @title Orders: packed bytes to a leg in memory, with everything that can be wrong about the order by itself.
/// @dev What an order's place in the batch implies (token, side, condition) is not in the calldata: it is derived and hashed,
/// and a wrong derivation is a wrong signature.
abstract contract Orders is Exit {
    using OrderHash for bytes32;
    using Words for uint256;

    uint256 internal constant POOL = 0;
    uint256 internal constant NATIVE = 1;
    uint256 internal constant POLYMARKET_V1 = 2;
    uint256 internal constant POLYMARKET_V2 = 3;

    // Flags of a packed leg. Bits 2 and 3: outcome and side of a taker, match kind of a maker.
    uint256 internal constant SCHEME_MASK = 3;
    uint256 private constant APPROVED = 1 << 5;
    uint256 private constant WIDE_SALT = 1 << 6;
    uint256 private constant EXTENDED = 0x80;

    /// @dev 0.07 of p(1-p): the most that any order pays, whatever it signed.
    uint256 internal constant MAX_FEE_RATE_BPS = 700;
    /// @dev The pool's leg passes as an order that gives without end and asks for nothing.
    uint256 private constant NO_LIMIT = 1 << 128;
    /// @dev `nextTags` of a V2 order whose tag word has no room and does not name it. Tag words use 252 bits only.
    uint256 private constant OWN_WORD = type(uint256).max;
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

    /// @dev Parse a leg, load its words, and find what is wrong with its order by itself. Returns the offset after it.
    /// wallet 160, sell amount 64, buy amount 64, then what its scheme adds, then a signature of 512 unless approved.
    function _readLeg(Leg memory leg, uint256 offset, uint256 flags, uint256 tokenId, uint256 sells)
        internal
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
                leg.shift = 0;
                // A word keyed by digest is written only after the signature was found good. (A lane or a tag proves nothing.)
                if (scheme == POLYMARKET_V2) {
                    (offset, digest) = _readV2(leg, offset + 36, flags, tokenId, sells);
                    leg.fillSlot = uint256(digest);
                    known = _loadTaggedFill(leg);
                } else {
                    (offset, digest) = _readV1(leg, offset + 36, flags, tokenId, sells);
                    leg.fillSlot = uint256(digest);
                    leg.fill = uint256(digest).read();
                    known = leg.fill != 0;
                }
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
            leg.tagSlot = Words.tagSlot(leg.holder, stamp);
            bytes32 separator = leg.v2Separator;
            if (separator == 0) leg.troubles |= 1 << SkipReason.DIALECT_OFF;
            if (stamp < _oldestV2TimestampMs) leg.troubles |= 1 << SkipReason.ORDER_TOO_OLD;
            if (leg.account & (Words.EXIT_FIELD | Words.HAS_WATERMARKS) != 0) {
                // slither-disable-next-line unused-return
                (, uint256 cancelledBeforeMs) = Watermarks.inForce(leg.holder);
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
                if and(flags, EXTENDED) {
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
                if and(flags, EXTENDED) {
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
            // slither-disable-next-line unused-return
            (uint256 minNonce,) = Watermarks.inForce(leg.holder);
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

    /// @dev What a V2 order has given. Its salt is random, so a word of its own would cost a new slot at every order; the
    /// timestamp that it signs lets twelve orders share one. Tag absent: never filled. Tag present: the word at its digest
    /// says how much, and zero there means all of it. A word without room: the word at its digest, as for V1.
    /// Two orders of one tag in one word: the second reads as finished, so the engine admits only one of them.
    function _loadTaggedFill(Leg memory leg) internal view returns (bool known) {
        unchecked {
            uint256 tags = leg.tagSlot.read();
            uint256 tag = Words.tagOf(leg.fillSlot);
            leg.fill = 0;
            leg.nextTags = tags << Words.TAG_BITS | tag;
            if (tags == 0) return false;
            bool tagged = Words.hasTag(tags, tag);
            if (!tagged && tags >> Words.FULL_SHIFT == 0) return false;
            uint256 fill = leg.fillSlot.read();
            known = fill != 0;
            leg.nextTags = tagged ? 0 : OWN_WORD;
            leg.fill = tagged && !known ? Words.MASK_64 : fill;
        }
    }

    /// @dev The counterpart: an order that is finished by its first fill writes its tag and nothing else; one that comes to
    /// its end later clears its word.
    function _writeTaggedFill(Leg memory leg, uint256 fill) internal {
        unchecked {
            uint256 tags = leg.nextTags;
            if (tags + 1 > 1) {
                leg.tagSlot.write(tags);
                if (fill >= leg.sellAmount) return;
            } else if (tags == 0 && fill >= leg.sellAmount) {
                fill = 0;
            }
            leg.fillSlot.write(fill);
        }
    }

    function _reloadLeg(Leg memory leg) internal view {
        leg.account = leg.accountSlot.read();
        leg.token = leg.tokenSlot.read();
        if (leg.scheme == POLYMARKET_V2) _loadTaggedFill(leg);
        else if (leg.scheme != POOL) leg.fill = leg.fillSlot.read();
    }

    function _writeLeg(Leg memory leg) internal {
        leg.accountSlot.write(leg.account);
        leg.tokenSlot.write(leg.token);
        if (leg.scheme == POLYMARKET_V2) _writeTaggedFill(leg, leg.fill);
        else if (leg.scheme != POOL) leg.fillSlot.write(leg.fill);
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
