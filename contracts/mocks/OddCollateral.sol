// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";

/// @notice For tests: collateral that takes a fee on transfer, and refuses to pay a blocked address.
contract OddCollateral is ERC20 {
    uint256 public feeBps;
    mapping(address => bool) public blocked;

    error Blocked(address account);

    constructor() ERC20("Odd", "ODD") {}

    function setFee(uint256 feeBps_) external {
        feeBps = feeBps_;
    }

    function setBlocked(address account, bool blocked_) external {
        blocked[account] = blocked_;
    }

    function faucet(address to, uint256 amount) external {
        _mint(to, amount);
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }

    function _update(address from, address to, uint256 amount) internal override {
        if (blocked[to]) revert Blocked(to);
        uint256 fee = from == address(0) ? 0 : amount * feeBps / 10_000;
        super._update(from, to, amount - fee);
        if (fee != 0) super._update(from, address(0xfee), fee);
    }
}
