// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {OrderHash} from "../libraries/OrderHash.sol";

/// @notice For tests: signature recovery for a digest of one's choice, which no order can offer (its digest names its wallet).
contract OrderHashHarness {
    function isSignedBy(bytes32 digest, bytes calldata signature, address wallet) external view returns (bool) {
        uint256 offset;
        assembly ("memory-safe") {
            offset := signature.offset
        }
        return OrderHash.isSignedBy(digest, offset, uint160(wallet));
    }
}
