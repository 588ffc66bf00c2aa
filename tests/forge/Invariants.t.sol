// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IVenue} from "../../contracts/interfaces/IVenue.sol";
import {IMarkets} from "../../contracts/interfaces/IMarkets.sol";
import {Market} from "./Market.sol";

/// @title Properties P1, P2, P3, P5, P7 and P9 of docs/invariants.md after any sequence of steps.
contract InvariantsTest {
    Market private _market;
    IVenue private _venue;
    IERC20 private _usd;
    bytes32 private _condition;

    function setUp() public {
        _market = new Market();
        address usd;
        (_venue, _condition, usd) = _market.stage();
        _usd = IERC20(usd);
    }

    function targetContracts() external view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(_market);
    }

    struct FuzzSelector {
        address addr;
        bytes4[] selectors;
    }

    function targetSelectors() external view returns (FuzzSelector[] memory targets) {
        bytes4[17] memory steps = [
            Market.deposit.selector,
            Market.splitAndDeposit.selector,
            Market.transfer.selector,
            Market.mergeFree.selector,
            Market.redeemFree.selector,
            Market.requestExit.selector,
            Market.exit.selector,
            Market.cancelEverything.selector,
            Market.donate.selector,
            Market.fill.selector,
            Market.fillAgain.selector,
            Market.pool.selector,
            Market.act.selector,
            Market.pauseOrUnpause.selector,
            Market.resolve.selector,
            Market.pass.selector,
            Market.fill.selector
        ];
        targets = new FuzzSelector[](1);
        targets[0].addr = address(_market);
        targets[0].selectors = new bytes4[](steps.length);
        for (uint256 i; i < steps.length; ++i) {
            targets[0].selectors[i] = steps[i];
        }
    }

    function invariant_P1_collateral_is_the_supply_of_each_outcome_until_resolution_and_covers_claims_after() public view {
        (IMarkets.ConditionState state, uint256 collateral, uint256 payout) = _venue.conditionOf(_condition);
        (uint256 yes, uint256 no) = (_supply(1), _supply(2));
        if (state != IMarkets.ConditionState.Resolved) {
            require(collateral == yes && collateral == no, "collateral = YES = NO");
            return;
        }
        uint256 claims = yes * payout + no * (1e6 - payout);
        require(collateral * 1e6 >= claims, "claims are covered");
        // Each redemption leaves less than a micro on each side; what is not redeemed may do so again.
        require(collateral * 1e6 <= claims + 2e6 * _market.redemptions(), "and nothing but rounding is left");
    }

    function invariant_P2_the_venue_holds_what_it_owes_and_strays_are_nobodys() public view {
        (, uint256 collateral,) = _venue.conditionOf(_condition);
        uint256 owed = collateral;
        address[] memory holders = _market.holders();
        for (uint256 i; i < holders.length; ++i) {
            owed += _venue.cashOf(holders[i]);
        }
        require(_usd.balanceOf(address(_venue)) == owed + _market.donated(), "held = owed + donated");
    }

    function invariant_P3_no_order_gives_more_than_it_signed_and_the_venue_counts_right() public view {
        for (uint256 i; i < _market.ordersMade(); ++i) {
            (uint256 signed, uint256 counted, uint256 told) = _market.orderAt(i);
            require(counted <= signed, "given <= signed");
            require(counted == told, "the venue's own count");
        }
    }

    function invariant_P5_nothing_fills_after_an_effective_exit_or_cancel() public view {
        require(!_market.fillAfterEffective(), "late fill");
    }

    function invariant_P9_every_operation_takes_one_number_and_has_one_end() public view {
        require(_venue.nextOperation() == _market.operations(), "numbers");
        require(_venue.skippedOperations() + _market.landed() == _market.operations(), "landed or skipped");
    }

    /// @dev P7 is asked once, at the end of each sequence.
    function afterInvariant() public {
        _market.everybodyLeaves();
    }

    function _supply(uint256 outcome) private view returns (uint256 supply) {
        uint256 id = uint256(_condition) | outcome;
        address[] memory holders = _market.holders();
        for (uint256 i; i < holders.length; ++i) {
            supply += _venue.vaultBalanceOf(holders[i], id) + IERC1155(address(_venue)).balanceOf(holders[i], id);
        }
    }
}
