// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title The packed storage words and where they live.
/// @dev Slots are keccak hashes of tagged keys: a 12-byte tag above the 20-byte holder. Solidity's own mappings of addresses
/// have zeros there, so no chosen id or nonce can reach another mapping's word.
///
/// account word   cash 96 | exit time 40 | positions 32 | delivers free 1 | has watermarks 1 | pool: outflow level 86
/// token word     free 128 | vault 128 (the upper half)
/// fill word      digest orders: filled 64; native orders: four lanes of 64. All ones = closed
/// tag word       V2 orders of one wallet and 2^20 ms (17 minutes) of signed timestamps: twelve tags of 21 bits of orders
///                that were filled, newest lowest. See {Orders}
/// watermark word min nonce 48 | next 48 | cancelled before 48 | next 48 | first effective at 32 | second effective at 32
/// condition word collateral 128 | YES payout 32 | state 8
/// control word   operator 160 | next operation 48 | skipped 40 | flags 8
///
/// The pool has no exit; its account word keeps the time of the outflow level in the exit field. See {Outflow}.
library Words {
    uint256 internal constant MASK_32 = type(uint32).max;
    uint256 internal constant MASK_40 = type(uint40).max;
    uint256 internal constant MASK_48 = type(uint48).max;
    uint256 internal constant MASK_64 = type(uint64).max;
    uint256 internal constant MASK_96 = type(uint96).max;
    uint256 internal constant MASK_128 = type(uint128).max;

    uint256 internal constant EXIT_SHIFT = 96;
    uint256 internal constant EXIT_FIELD = MASK_40 << EXIT_SHIFT;
    uint256 internal constant POSITIONS_SHIFT = 136;
    uint256 internal constant ONE_POSITION = 1 << POSITIONS_SHIFT;
    uint256 internal constant DELIVERS_FREE = 1 << 168;
    uint256 internal constant HAS_WATERMARKS = 1 << 169;
    uint256 internal constant OUTFLOW_SHIFT = 170;
    uint256 internal constant MAX_OUTFLOW_LEVEL = (1 << 86) - 1;

    uint256 internal constant VAULT_SHIFT = 128;

    uint256 internal constant PAYOUT_SHIFT = 128;
    uint256 internal constant STATE_SHIFT = 160;

    uint256 internal constant NEXT_SHIFT = 160;
    uint256 internal constant SKIPPED_SHIFT = 208;
    uint256 internal constant PAUSE_FLAG = 1 << 248;

    uint256 internal constant EPOCH_SHIFT = 20;
    uint256 internal constant TAG_BITS = 21;
    /// @dev A word whose twelfth place is taken has no room.
    uint256 internal constant FULL_SHIFT = 11 * TAG_BITS;
    /// @dev The lowest and the highest bit of each place.
    uint256 private constant TAG_LOWS = 0x8000040000200001000008000040000200001000008000040000200001;
    uint256 private constant TAG_HIGHS = TAG_LOWS << (TAG_BITS - 1);

    uint256 private constant ACCOUNT_TAG = uint256(uint96(bytes12("cway.account"))) << 160;
    uint256 private constant TOKEN_TAG = uint256(uint96(bytes12("cway.token  "))) << 160;
    uint256 private constant LANE_TAG = uint256(uint96(bytes12("cway.lanes  "))) << 160;
    uint256 private constant TAGS_TAG = uint256(uint96(bytes12("cway.tags   "))) << 160;
    uint256 private constant ACTION_TAG = uint256(uint96(bytes12("cway.actions"))) << 160;
    uint256 private constant WATERMARK_TAG = uint256(uint96(bytes12("cway.waterm "))) << 160;
    uint256 private constant APPROVAL_TAG = uint256(uint96(bytes12("cway.approve"))) << 160;
    uint256 private constant CONDITION_TAG = uint256(uint96(bytes12("cway.conditn"))) << 160;

    function read(uint256 slot) internal view returns (uint256 word) {
        assembly ("memory-safe") {
            word := sload(slot)
        }
    }

    function write(uint256 slot, uint256 word) internal {
        assembly ("memory-safe") {
            sstore(slot, word)
        }
    }

    function accountSlot(uint256 holder) internal pure returns (uint256) {
        return _hash(ACCOUNT_TAG | holder);
    }

    function watermarkSlot(uint256 holder) internal pure returns (uint256) {
        return _hash(WATERMARK_TAG | holder);
    }

    function tokenSlot(uint256 holder, uint256 id) internal pure returns (uint256) {
        return _hash(TOKEN_TAG | holder, id);
    }

    /// @notice Four native orders share a word.
    function laneSlot(uint256 holder, uint256 nonce) internal pure returns (uint256) {
        return _hash(LANE_TAG | holder, nonce >> 2);
    }

    function laneShift(uint256 nonce) internal pure returns (uint256) {
        return (nonce & 3) << 6;
    }

    /// @notice V2 orders that one wallet signed within 2^20 ms share a word of tags.
    function tagSlot(uint256 holder, uint256 timestampMs) internal pure returns (uint256) {
        return _hash(TAGS_TAG | holder, timestampMs >> EPOCH_SHIFT);
    }

    /// @notice An order's tag: the top 21 bits of its digest, and never zero, which is an empty place.
    function tagOf(uint256 digest) internal pure returns (uint256 tag) {
        assembly ("memory-safe") {
            tag := shr(235, digest)
            tag := or(tag, iszero(tag))
        }
    }

    /// @notice Whether one of the twelve places holds `tag`: whether a place of the difference is all zeros.
    function hasTag(uint256 tags, uint256 tag) internal pure returns (bool found) {
        uint256 lows = TAG_LOWS;
        uint256 highs = TAG_HIGHS;
        assembly ("memory-safe") {
            let difference := xor(tags, mul(tag, lows))
            found := iszero(iszero(and(and(sub(difference, lows), not(difference)), highs)))
        }
    }

    /// @notice 256 vault actions share a bitmap word.
    function actionSlot(uint256 holder, uint256 nonce) internal pure returns (uint256) {
        return _hash(ACTION_TAG | holder, nonce >> 8);
    }

    function conditionSlot(uint256 conditionId) internal pure returns (uint256) {
        return _hash(CONDITION_TAG, conditionId);
    }

    /// @notice One for digests that a contract wallet stands behind.
    function approvalSlot(uint256 holder, bytes32 digest) internal pure returns (uint256) {
        return _hash(APPROVAL_TAG | holder, uint256(digest));
    }

    function cash(uint256 account) internal pure returns (uint256) {
        return account & MASK_96;
    }

    function exitAt(uint256 account) internal pure returns (uint256) {
        return (account >> EXIT_SHIFT) & MASK_40;
    }

    function positions(uint256 account) internal pure returns (uint256) {
        return (account >> POSITIONS_SHIFT) & MASK_32;
    }

    function vaultHalf(uint256 token) internal pure returns (uint256) {
        return token >> VAULT_SHIFT;
    }

    function _hash(uint256 key) private pure returns (uint256 slot) {
        assembly ("memory-safe") {
            mstore(0, key)
            slot := keccak256(0, 0x20)
        }
    }

    function _hash(uint256 key, uint256 index) private pure returns (uint256 slot) {
        assembly ("memory-safe") {
            mstore(0, key)
            mstore(0x20, index)
            slot := keccak256(0, 0x40)
        }
    }
}
