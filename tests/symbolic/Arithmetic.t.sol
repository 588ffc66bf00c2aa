// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Leg, Legs} from "../../contracts/libraries/Legs.sol";
import {Outflow} from "../../contracts/libraries/Outflow.sol";
import {Words} from "../../contracts/libraries/Words.sol";

/// @title What halmos proves for all values (`check_`), of the arithmetic that every fill runs through.
/// @dev Bounds are those of the packed format: lots and fees 40 bits, price 1 to 9,999, amounts 64 bits, cash 96, halves 128.
contract ArithmeticTest {
    using Legs for Leg;
    using Outflow for uint256;
    using Words for uint256;

    uint256 private constant ORDER_FILLED = 1 << 14;
    uint256 private constant PRICE_WORSE_THAN_SIGNED = 1 << 15;
    uint256 private constant INSUFFICIENT_CASH = 1 << 17;
    uint256 private constant INSUFFICIENT_TOKENS = 1 << 18;

    function _leg(uint64 sell, uint64 buy, uint64 filled) private pure returns (Leg memory leg) {
        (leg.sellAmount, leg.buyAmount, leg.fill) = (sell, buy, filled);
        (leg.account, leg.token) = (type(uint96).max, uint256(type(uint128).max) << 128);
        leg.feeRateBps = 700;
    }


    /// @notice P3: what an order has given after a fill that has no trouble is within what it signed, and is counted exactly.
    function check_P3_a_fill_without_trouble_stays_within_what_was_signed(
        uint64 sell,
        uint64 filled,
        uint16 price,
        uint40 lots,
        bool sells
    ) public pure {
        require(price > 0 && price < 10_000);
        Leg memory leg = _leg(sell, 1, filled);
        uint256 troubles = leg.advance(sells ? 1 : 0, price, lots, 0, 0);
        if (troubles & ORDER_FILLED != 0) return;
        uint256 gives = sells ? uint256(lots) * 10_000 : uint256(lots) * price;
        assert(leg.nextFill == uint256(filled) + gives);
        assert(leg.nextFill <= sell);
    }

    /// @notice P3: a closed order fills no more, whatever it signed.
    function check_P3_a_closed_order_gives_nothing(uint64 sell, uint16 price, uint40 lots, bool sells) public pure {
        require(price > 0 && price < 10_000 && lots > 0);
        Leg memory leg = _leg(sell, 1, type(uint64).max);
        assert(leg.advance(sells ? 1 : 0, price, lots, 0, 0) & ORDER_FILLED != 0);
    }

    /// @notice P3: a lane's fill leaves its three neighbours alone.
    function check_P3_a_lane_never_touches_its_neighbours(
        uint256 word,
        uint64 sell,
        uint16 price,
        uint40 lots,
        uint8 lane,
        bool sells,
        bool closes
    ) public pure {
        require(price > 0 && price < 10_000 && lane < 4);
        Leg memory leg = _leg(sell, 1, 0);
        leg.fill = word;
        leg.shift = uint256(lane) << 6;
        if (leg.advance(sells ? 1 : 0, price, lots, 0, closes ? 1 : 0) & ORDER_FILLED != 0) return;
        uint256 others = ~(uint256(type(uint64).max) << leg.shift);
        assert(leg.nextFill & others == word & others);
    }

    /// @notice P4: a price without trouble is no worse than the signed ratio, for buyers and for sellers.
    function check_P4_a_price_without_trouble_is_no_worse_than_signed(uint64 sell, uint64 buy, uint16 price, bool sells)
        public
        pure
    {
        require(price > 0 && price < 10_000);
        Leg memory leg = _leg(sell, buy, 0);
        bool worse = leg.advance(sells ? 1 : 0, price, 1, 0, 0) & PRICE_WORSE_THAN_SIGNED != 0;
        // One lot costs `price` and is 10,000: given per got, against sell per buy.
        if (sells) assert(worse == (uint256(10_000) * buy > uint256(price) * sell));
        else assert(worse == (uint256(price) * buy > uint256(10_000) * sell));
    }

    /// @notice P2: cash and tokens move by exactly what the fill says, and nothing wraps.
    function check_P2_the_words_of_a_leg_move_by_cost_size_and_fee(
        uint96 cash,
        uint128 free,
        uint96 held,
        uint16 price,
        uint40 lots,
        uint40 fee,
        bool sells
    ) public pure {
        require(price > 0 && price < 10_000 && lots > 0);
        Leg memory leg = _leg(type(uint64).max, 1, 0);
        leg.account = uint256(cash) + 5 * Words.ONE_POSITION;
        leg.token = uint256(free) | uint256(held) << 128;
        (uint256 cost, uint256 size) = (uint256(lots) * price, uint256(lots) * 10_000);
        uint256 troubles = leg.advance(sells ? 1 : 0, price, lots, fee, 0);
        bool poor = sells ? cash + cost < fee : cash < cost + fee;
        assert((troubles & INSUFFICIENT_CASH != 0) == poor);
        assert((troubles & INSUFFICIENT_TOKENS != 0) == (sells && held < size));
        if (poor || (sells && held < size)) return;
        uint256 after_ = sells ? uint256(cash) + cost - fee : uint256(cash) - cost - fee;
        require(after_ <= type(uint96).max); // the intake limit: all cash there is fits
        assert(leg.nextAccount.cash() == after_);
        assert(leg.nextToken & type(uint128).max == free);
        assert(leg.nextToken.vaultHalf() == (sells ? held - size : held + size));
        assert(leg.nextAccount.positions() == 5 + (!sells && held == 0 ? 1 : 0) - (sells && held == size ? 1 : 0));
    }

    /// @notice P8: whatever is counted when, what fits is at most the limit and what has drained, the level never leaves its
    /// field, and cash and positions stay. (Powers of two, near the default: the solver multiplies them in no time.)
    function check_P8_what_the_pool_may_lose_is_the_limit_and_what_has_drained(
        uint96 cash,
        uint32 positions,
        uint40 since,
        uint64 level,
        uint64 amount
    ) public view {
        (uint256 limit, uint256 window) = (1 << 40, 1 << 12);
        require(level <= limit * window && since <= block.timestamp);
        uint256 kept = uint256(cash) | uint256(positions) << Words.POSITIONS_SHIFT;
        uint256 word = kept | uint256(since) << Words.EXIT_SHIFT | uint256(level) << Words.OUTFLOW_SHIFT;
        (uint256 next, bool fits) = word.count(amount, limit, window);
        uint256 drained = (block.timestamp - since) * limit;
        assert(fits == (amount * window <= limit * window - (level > drained ? level - drained : 0)));
        if (!fits) return;
        assert(next >> Words.OUTFLOW_SHIFT <= limit * window);
        assert(next & (Words.MASK_96 | Words.MASK_32 << Words.POSITIONS_SHIFT) == kept);
        assert(next.exitAt() == block.timestamp);
        assert(next & (Words.DELIVERS_FREE | Words.HAS_WATERMARKS) == 0);
    }

    /// @notice A tag is never zero, which is an empty place, and a new one keeps those that are there.
    function check_a_new_tag_is_found_and_keeps_the_others(uint256 tags, uint256 digest, uint256 other) public pure {
        require(tags >> Words.FULL_SHIFT == 0);
        (uint256 tag, uint256 old) = (Words.tagOf(digest), Words.tagOf(other));
        assert(tag != 0 && tag < 1 << 21);
        uint256 next = tags << Words.TAG_BITS | tag;
        assert(next >> 252 == 0);
        assert(Words.hasTag(next, tag));
        assert(!Words.hasTag(tags, old) || Words.hasTag(next, old));
    }
}
