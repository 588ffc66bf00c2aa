// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {Strings} from "@openzeppelin/contracts/utils/Strings.sol";
import {Accounts} from "./Accounts.sol";

/// @title What a wallet app shows of an outcome token. Linked: nothing of it is needed to settle.
library Metadata {
    function uri(uint256 id) external pure returns (string memory) {
        string memory outcome = uint8(id) == Accounts.YES ? "YES" : uint8(id) == Accounts.NO ? "NO" : "?";
        return string.concat(
            "data:application/json,{\"name\":\"",
            outcome,
            " of ",
            Strings.toHexString(id & ~uint256(0xff), 32),
            "\",\"decimals\":6}"
        );
    }
}
