// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Configuration} from "./interfaces/IVenue.sol";
import {Fills} from "./mixins/Fills.sol";
import {Settlement} from "./mixins/Settlement.sol";
import {VenueBase} from "./mixins/VenueBase.sol";

/// @title Causeway's venue. Immutable: a new version is a new deployment that users move to.
/// @notice Start reading at mixins/Settlement.sol; the words are in libraries/Words.sol, the promises in interfaces/.
contract Venue is Settlement {
    constructor(Configuration memory configuration_) VenueBase(configuration_) Fills(configuration_) {}
}
