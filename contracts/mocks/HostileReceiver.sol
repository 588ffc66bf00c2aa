// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC1155Holder} from "@openzeppelin/contracts/token/ERC1155/utils/ERC1155Holder.sol";

/// @notice For tests: a receiver of ERC-1155 tokens that misbehaves in a way that can be chosen.
contract HostileReceiver is ERC1155Holder {
    enum Mode {
        Accept,
        Revert,
        WrongAnswer,
        BurnGas,
        ReturnBomb,
        Reenter
    }

    error Refused();

    Mode public mode;
    address public target;
    bytes public data;
    bool public reentered;

    function set(Mode mode_, address target_, bytes calldata data_) external {
        (mode, target, data) = (mode_, target_, data_);
    }

    function call(address target_, bytes calldata data_) external {
        // solhint-disable-next-line avoid-low-level-calls
        (bool ok, bytes memory result) = target_.call(data_);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(result, 0x20), mload(result))
            }
        }
    }

    function onERC1155Received(address operator, address from, uint256 id, uint256 value, bytes memory extra)
        public
        override
        returns (bytes4)
    {
        if (mode == Mode.Revert) revert Refused();
        if (mode == Mode.WrongAnswer) return 0xdeadbeef;
        if (mode == Mode.BurnGas) while (true) {}
        if (mode == Mode.ReturnBomb) {
            assembly ("memory-safe") {
                revert(0, 1000000)
            }
        }
        if (mode == Mode.Reenter) {
            // solhint-disable-next-line avoid-low-level-calls
            (reentered,) = target.call(data);
        }
        return super.onERC1155Received(operator, from, id, value, extra);
    }

    function onERC1155BatchReceived(
        address operator,
        address from,
        uint256[] memory ids,
        uint256[] memory values,
        bytes memory extra
    ) public override returns (bytes4) {
        if (mode == Mode.Revert) revert Refused();
        return super.onERC1155BatchReceived(operator, from, ids, values, extra);
    }
}
