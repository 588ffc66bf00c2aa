// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {ERC1155} from "@openzeppelin/contracts/token/ERC1155/ERC1155.sol";
import {ERC1155Utils} from "@openzeppelin/contracts/token/ERC1155/utils/ERC1155Utils.sol";
import {Metadata} from "../libraries/Metadata.sol";
import {Words} from "../libraries/Words.sol";
import {VenueBase} from "./VenueBase.sol";

/// @title ERC-1155 over the free half of the token words.
/// @dev OpenZeppelin's interface, approvals and acceptance checks; only where balances live is our own. What enters the vault
/// is a burn here and what leaves it a mint, so that the standard's events always sum to `balanceOf`.
/// All that OpenZeppelin writes with `unsafeMemoryAccess` is overridden: that assembly is not marked memory-safe, and one such
/// block keeps the compiler from moving stack variables to memory anywhere in the venue.
abstract contract OutcomeTokens is VenueBase, ERC1155 {
    using Words for uint256;

    constructor() ERC1155("") {}

    /// @notice Metadata as a data URI: which outcome of which condition, six decimals.
    function uri(uint256 id) public pure override returns (string memory) {
        return Metadata.uri(id);
    }

    /// @notice The free half. What is in the vault is `vaultBalanceOf`.
    function balanceOf(address holder, uint256 id) public view override returns (uint256) {
        return Words.tokenSlot(uint160(holder), id).read() & Words.MASK_128;
    }

    /// @inheritdoc ERC1155
    function balanceOfBatch(address[] memory holders, uint256[] memory ids)
        public
        view
        override
        returns (uint256[] memory balances)
    {
        if (holders.length != ids.length) revert ERC1155InvalidArrayLength(ids.length, holders.length);
        balances = new uint256[](ids.length);
        for (uint256 i; i < ids.length; ++i) {
            balances[i] = balanceOf(holders[i], ids[i]);
        }
    }

    function _updateWithAcceptanceCheck(
        address from,
        address to,
        uint256[] memory ids,
        uint256[] memory amounts,
        bytes memory data,
        bool batch
    ) internal override {
        _update(from, to, ids, amounts);
        if (to == address(0)) return;
        if (batch) ERC1155Utils.checkOnERC1155BatchReceived(msg.sender, from, to, ids, amounts, data);
        else ERC1155Utils.checkOnERC1155Received(msg.sender, from, to, ids[0], amounts[0], data);
    }

    /// @dev Halves cannot overflow: no supply exceeds the collateral that was ever taken in, which is below 2^96.
    function _update(address from, address to, uint256[] memory ids, uint256[] memory amounts) internal override {
        if (ids.length != amounts.length) revert ERC1155InvalidArrayLength(ids.length, amounts.length);
        for (uint256 i; i < ids.length; ++i) {
            uint256 id = ids[i];
            uint256 amount = amounts[i];
            if (from != address(0)) {
                uint256 slot = Words.tokenSlot(uint160(from), id);
                uint256 word = slot.read();
                uint256 free = word & Words.MASK_128;
                if (free < amount) revert ERC1155InsufficientBalance(from, free, amount, id);
                slot.write(word - amount);
            }
            if (to != address(0)) {
                uint256 slot = Words.tokenSlot(uint160(to), id);
                slot.write(slot.read() + amount);
            }
        }
        // slither-disable-next-line incorrect-equality
        if (ids.length == 1) emit TransferSingle(msg.sender, from, to, ids[0], amounts[0]);
        else emit TransferBatch(msg.sender, from, to, ids, amounts);
    }
}
