// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IExit} from "./IExit.sol";
import {IMarkets} from "./IMarkets.sol";
import {IRoles} from "./IRoles.sol";
import {ISettlement} from "./ISettlement.sol";
import {IVault} from "./IVault.sol";

/// @notice What a deployment fixes for good (role holders excepted).
/// @param exitDelay seconds from `requestExit` to a usable exit; more than `observationLag + settlementDeadline`
/// @param settlementDeadline seconds from a match to the operation's `notAfter`
/// @param observationLag seconds until the engine has certainly seen an on-chain event
/// @param salt enters every condition id: a new deployment never honours an old order
/// @param compatibleChainId chain id in the domains of the Polymarket dialects (80002); 137 is refused
/// @param compatibleV1 verifying contract in the V1 domain; zero turns the dialect off
/// @param compatibleV2 verifying contract in the V2 domain; zero turns the dialect off
/// @param poolOutflowLimit how much the pool may lose per window at most, by the cash and tokens that the operator sends out of it
/// and by the fills that it takes part in (see libraries/Outflow.sol); refills linearly
/// @param poolOutflowWindow seconds for a full refill
struct Configuration {
    address collateral;
    address operator;
    address oracle;
    address reviewer;
    address guardian;
    address admin;
    uint64 exitDelay;
    uint64 settlementDeadline;
    uint64 observationLag;
    bytes32 salt;
    uint256 compatibleChainId;
    address compatibleV1;
    address compatibleV2;
    uint256 poolOutflowLimit;
    uint64 poolOutflowWindow;
}

/// @title The venue: vault, outcome tokens (ERC-1155) and settlement in one contract, so that a fill is storage writes only.
interface IVenue is IRoles, IMarkets, IVault, IExit, ISettlement {
    error ForbiddenChainId(uint256 chainId);
    error ExitDelayTooShort(uint256 exitDelay, uint256 needed);
    error DelayTooLong(uint256 given, uint256 highest);
    error BadOutflowLimit(uint256 limit, uint256 window);
    error BadDecimals(uint8 decimals);

    /// @notice The constructor's argument with the present role holders.
    function configuration() external view returns (Configuration memory);
}
