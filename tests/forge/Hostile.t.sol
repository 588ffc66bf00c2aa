// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";
import {IVenue} from "../../contracts/interfaces/IVenue.sol";
import {Hostile} from "./Hostile.sol";

/// @title P8: a stolen operator key moves nothing beyond what wallets signed and what the limiter lets out.
contract HostileOperatorTest {
    Hostile private _thief;
    IVenue private _venue;
    IERC1155 private _tokens;
    uint256 private _yes;
    uint256 private _no;
    address private _alice;
    address private _silent;

    function setUp() public {
        _thief = new Hostile();
        bytes32 condition;
        (_venue, condition) = _thief.stage();
        _tokens = IERC1155(address(_venue));
        (_yes, _no) = (uint256(condition) | 1, uint256(condition) | 2);
        (_alice, _silent) = (_thief.wallet(_thief.ALICE()), _thief.wallet(_thief.SILENT()));
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_thief);
    }

    function invariant_P8_who_signed_nothing_loses_and_gains_nothing() public view {
        uint256 funds = _thief.FUNDS();
        require(_venue.cashOf(_silent) == funds, "cash");
        require(_venue.vaultBalanceOf(_silent, _yes) == funds && _venue.vaultBalanceOf(_silent, _no) == funds, "vault");
        require(_tokens.balanceOf(_silent, _yes) + _tokens.balanceOf(_silent, _no) == 0, "free");
        require(_venue.exitAt(_silent) == 0 && !_venue.deliversFree(_silent), "account");
    }

    function invariant_P8_who_signed_gives_what_was_signed_at_no_worse_a_price_and_a_capped_fee() public view {
        uint256 funds = _thief.FUNDS();
        (uint256 cashGiven, uint256 noGiven) = _thief.givenByAlice();
        uint256 bought = _venue.vaultBalanceOf(_alice, _yes) - funds;
        require(funds - _venue.vaultBalanceOf(_alice, _no) == noGiven, "gives no other token");
        require(bought * _thief.BUY_LIMIT() >= cashGiven * 10_000, "buys no dearer than signed");
        // The fee curve's top is 0.0175 a contract; each fill rounds up to the next 100 micros.
        uint256 fees = (bought + noGiven) * 175 / 10_000 + 100 * _thief.landed();
        uint256 least = funds - cashGiven + noGiven * _thief.SELL_LIMIT() / 10_000;
        require(_venue.cashOf(_alice) + fees >= least, "sells no cheaper than signed, and pays no more than the cap");
    }

    function invariant_P8_the_pool_sends_no_more_than_the_limiter_lets_out() public view {
        require(_thief.sent() <= _thief.mayHaveLeft(), "outflow");
    }

    function invariant_P8_the_pool_loses_no_more_than_the_limiter_lets_out_whatever_wins() public view {
        require(_thief.poolLost(1) <= _thief.mayHaveLeft() && _thief.poolLost(2) <= _thief.mayHaveLeft(), "loss");
    }

    function invariant_P8_no_role_but_his_own_was_used() public view {
        (bool poolBlocked,, uint256 until) = _venue.pauseState();
        require(!poolBlocked && until == 0, "no pause");
        (,, uint256 payout) = _venue.conditionOf(bytes32(_yes - 1));
        require(payout == 0, "no report");
    }

    /// @dev That the steps above reach what they are for.
    function test_P8_the_thief_can_do_all_that_was_signed() public {
        _thief.tradeAtTheLimit(0, 9_999, 0);
        _thief.tradeAtTheLimit(1, 9_999, 0);
        (uint256 cashGiven, uint256 noGiven) = _thief.givenByAlice();
        require(cashGiven == 60e6 && noGiven == 100e6, "both orders traded at their limits");
        _thief.send(1_000e6, true, 1);
        require(_thief.sent() == 1_000e6, "a bucket of cash");
        uint256 landed = _thief.landed();
        _thief.send(1, true, 1);
        _thief.tradeWithThePool(0, 0, 1);
        _thief.replay(0);
        _thief.forgeOrder(0, 1, 5_000, 1);
        _thief.forgeOrder(3, 2, 5_000, 1);
        for (uint8 kind; kind < 10; ++kind) {
            _thief.forgeAction(kind, kind, 1e6, kind >= 5);
        }
        require(_thief.landed() == landed, "a full bucket, spent orders and forgeries: nothing lands");
    }

    /// @dev A bucket of YES bought at a hundredth of a cent, or of NO sold at 99.99 cents: the same loss.
    function test_P8_the_thief_can_trade_a_bucket_out_of_the_pool_and_no_more() public {
        (uint256 buysYes, uint256 sellsNo) = (0, 16 | 32);
        _thief.tradeWithThePool(buysYes, 0, 49_999);
        _thief.tradeWithThePool(sellsNo, 0, 49_999);
        require(_thief.landed() == 2, "half a bucket each");
        require(_thief.poolLost(1) > 999e6 && _thief.poolLost(1) <= 1_000e6, "lost, should YES win");
        for (uint256 dice; dice < 16; dice += 2) {
            _thief.tradeWithThePool(buysYes | dice, 0, 200);
            _thief.tradeWithThePool(sellsNo | dice, 0, 200);
        }
        require(_thief.landed() == 2, "no way round it, on either side, in any kind");
        _thief.pass(36); // 37 seconds, in which 10.28 dollars drain; 0.10 were left
        _thief.tradeWithThePool(buysYes, 0, 1_037);
        require(_thief.landed() == 2, "nor sooner");
        _thief.tradeWithThePool(buysYes, 0, 1_036);
        require(_thief.landed() == 3, "what has drained may be lost again");
    }
}
