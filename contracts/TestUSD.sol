// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC20} from "@openzeppelin/contracts/token/ERC20/ERC20.sol";
import {ERC20Permit} from "@openzeppelin/contracts/token/ERC20/extensions/ERC20Permit.sol";

/// @title Test collateral: six decimals, permit, and a faucet for everybody. Worth nothing.
contract TestUSD is ERC20, ERC20Permit {
    error FaucetCapExceeded(uint256 amount, uint256 cap);

    /// @notice The most that one faucet call mints: one million dollars.
    uint256 public constant FAUCET_CAP = 1_000_000e6;

    constructor() ERC20("Causeway Test USD", "tUSD") ERC20Permit("Causeway Test USD") {}

    /// @notice Mint `amount` to `to`.
    function faucet(address to, uint256 amount) external {
        if (amount > FAUCET_CAP) revert FaucetCapExceeded(amount, FAUCET_CAP);
        _mint(to, amount);
    }

    function decimals() public pure override returns (uint8) {
        return 6;
    }
}
