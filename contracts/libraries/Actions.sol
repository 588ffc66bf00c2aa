// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {SafeERC20} from "@openzeppelin/contracts/token/ERC20/utils/SafeERC20.sol";
import {ISettlement} from "../interfaces/ISettlement.sol";
import {IVault} from "../interfaces/IVault.sol";
import {Accounts} from "./Accounts.sol";
import {OrderHash} from "./OrderHash.sol";
import {Outflow} from "./Outflow.sol";
import {SkipReason} from "./SkipReason.sol";
import {Words} from "./Words.sol";

/// @title The stream's operations that are not fills: what wallets sign for their own vault, and what the pool does.
/// @dev Linked, so that the venue stays under its size limit. Runs in the venue's storage; the venue's immutables come as
/// `Terms`. No storage word is cached across a call to foreign code.
library Actions {
    using OrderHash for bytes32;
    using Outflow for uint256;
    using SafeERC20 for IERC20;
    using Words for uint256;

    /// @dev The venue's immutables that operations need.
    struct Terms {
        IERC20 collateral;
        bytes32 nativeSeparator;
        uint256 outflowLimit;
        uint256 outflowWindow;
    }

    /// @dev The EIP-712 struct, field by field.
    struct VaultAction {
        address wallet;
        uint256 kind;
        uint256 id;
        uint256 amount;
        address to;
        uint256 nonce;
        uint256 deadline;
    }

    // First byte of a packed operation.
    uint256 internal constant WALLET_ACTION = 0x10;
    uint256 internal constant POOL_SPLIT = 0x20;
    uint256 internal constant POOL_MERGE = 0x21;
    uint256 internal constant POOL_REDEEM = 0x22;
    uint256 internal constant POOL_SEND_CASH = 0x23;
    uint256 internal constant POOL_SEND_TOKENS = 0x24;

    // `VaultAction.kind`.
    uint256 private constant WITHDRAW = 0;
    uint256 private constant SPLIT = 1;
    uint256 private constant MERGE = 2;
    uint256 private constant REDEEM = 3;
    uint256 private constant SET_DELIVERY = 4;
    uint256 private constant TAKE_BACK = 5;
    uint256 private constant TAKE_BACK_FREE = 6;

    uint256 internal constant APPROVED = 1 << 5;
    uint256 internal constant POOL_RECORD_BYTES = 74;
    uint256 internal constant WALLET_RECORD_BYTES = 133;
    uint256 internal constant SIGNATURE_BYTES = 64;

    /// @dev kind 8, notAfter 40, id 256, amount 128, to 160.
    function executePool(Terms calldata terms, uint256 number, bytes calldata record) external returns (uint256 fault) {
        uint256 start = _start(record);
        uint256 kind = _word(start) >> 248;
        if (block.timestamp > (_word(start) >> 208) & Words.MASK_40) return SkipReason.TOO_LATE;
        uint256 id = _word(start + 6);
        uint256 amount = _word(start + 38) >> 128;
        uint256 to = _word(start + 54) >> 96;
        uint256 pool = uint160(address(this));
        if (kind == POOL_SPLIT) fault = Accounts.split(pool, id, amount);
        else if (kind == POOL_MERGE) fault = Accounts.merge(pool, id, amount);
        else if (kind == POOL_REDEEM) (fault, amount) = Accounts.redeem(pool, id, amount);
        else fault = _send(terms, kind == POOL_SEND_CASH, id, amount, to);
        if (fault == 0) {
            emit ISettlement.PoolActionExecuted(number, uint8(kind - POOL_SPLIT), id, amount, address(uint160(to)));
        }
    }

    /// @dev kind 8, flags 8 (bit 5: approved), notAfter 40, wallet 160, kind 8, id 256, amount 128, to 160, nonce 256,
    /// deadline 40, then a signature of 512 unless approved.
    function executeWallet(Terms calldata terms, uint256 number, bytes calldata record) external returns (uint256 fault) {
        uint256 start = _start(record);
        VaultAction memory action = VaultAction({
            wallet: address(uint160(_word(start + 7) >> 96)),
            kind: _word(start + 27) >> 248,
            id: _word(start + 28),
            amount: _word(start + 60) >> 128,
            to: address(uint160(_word(start + 76) >> 96)),
            nonce: _word(start + 96),
            deadline: _word(start + 128) >> 216
        });
        uint256 notAfter = (_word(start) >> 200) & Words.MASK_40;
        if (block.timestamp > notAfter || block.timestamp > action.deadline) return SkipReason.TOO_LATE;

        uint256 wallet = uint160(action.wallet);
        bytes32 structHash = keccak256(abi.encode(OrderHash.VAULT_ACTION_TYPE, action));
        bytes32 digest = terms.nativeSeparator.typedDigest(structHash);
        if ((_word(start) >> 240) & APPROVED != 0) {
            if (Words.approvalSlot(wallet, digest).read() == 0) return SkipReason.NOT_APPROVED;
        } else if (!digest.isSignedBy(start + WALLET_RECORD_BYTES, wallet)) {
            return SkipReason.BAD_SIGNATURE;
        }
        uint256 exitTime = Words.accountSlot(wallet).read().exitAt();
        if (exitTime != 0 && exitTime <= block.timestamp) return SkipReason.ACCOUNT_EXITED;

        uint256 slot = Words.actionSlot(wallet, action.nonce);
        uint256 bit = 1 << (action.nonce & 0xff);
        if (slot.read() & bit != 0) return SkipReason.NONCE_USED;
        // Taken before foreign code can run, given back when the action turns out to be impossible.
        slot.write(slot.read() | bit);
        fault = _apply(terms, action, wallet);
        if (fault != 0) {
            slot.write(slot.read() & ~bit);
        } else {
            emit ISettlement.VaultActionExecuted(
                number, action.wallet, uint8(action.kind), action.id, action.amount, action.to
            );
        }
    }

    /// @dev `action.amount` becomes the payout of a redemption.
    function _apply(Terms calldata terms, VaultAction memory action, uint256 wallet) private returns (uint256 fault) {
        if (action.kind == WITHDRAW) return _withdraw(terms, action, wallet);
        if (action.kind == SPLIT) return Accounts.split(wallet, action.id, action.amount);
        if (action.kind == MERGE) return Accounts.merge(wallet, action.id, action.amount);
        if (action.kind == REDEEM) {
            (fault, action.amount) = Accounts.redeem(wallet, action.id, action.amount);
            return fault;
        }
        if (action.kind == TAKE_BACK || action.kind == TAKE_BACK_FREE) return _takeBack(action, wallet);
        if (action.kind != SET_DELIVERY) return SkipReason.BAD_KIND;
        uint256 slot = Words.accountSlot(wallet);
        uint256 account = slot.read() & ~Words.DELIVERS_FREE;
        slot.write(action.amount == 0 ? account : account | Words.DELIVERS_FREE);
    }

    function _withdraw(Terms calldata terms, VaultAction memory action, uint256 wallet) private returns (uint256 fault) {
        if (action.amount == 0) return SkipReason.ZERO_AMOUNT;
        if (action.to == address(0) || action.to == address(this)) return SkipReason.BAD_RECEIVER;
        if (action.id == 0) {
            fault = Accounts.takeCash(wallet, action.amount);
            if (fault != 0 || terms.collateral.trySafeTransfer(action.to, action.amount)) return fault;
            Accounts.addCash(wallet, action.amount);
            return SkipReason.TRANSFER_FAILED;
        }
        if (Accounts.vaultOf(wallet, action.id) < action.amount) return SkipReason.INSUFFICIENT_TOKENS;
        if (!Accounts.tryDeliver(wallet, uint160(action.to), action.id, action.amount)) {
            return SkipReason.RECEIVER_REFUSED;
        }
    }

    /// @dev Into the pool, for the custodial account that the wallet is linked to: whose it is then, the ledger says. What is
    /// taken from the free half is a burn, as when the wallet deposits it itself.
    function _takeBack(VaultAction memory action, uint256 wallet) private returns (uint256 fault) {
        if (action.amount == 0) return SkipReason.ZERO_AMOUNT;
        uint256 pool = uint160(address(this));
        if (action.kind == TAKE_BACK_FREE) {
            uint256 slot = Words.tokenSlot(wallet, action.id);
            uint256 token = slot.read();
            if (token & Words.MASK_128 < action.amount) return SkipReason.INSUFFICIENT_TOKENS;
            slot.write(token - action.amount);
            emit IERC1155.TransferSingle(msg.sender, action.wallet, address(0), action.id, action.amount);
        } else if (action.id == 0) {
            fault = Accounts.takeCash(wallet, action.amount);
            if (fault == 0) Accounts.addCash(pool, action.amount);
            return fault;
        } else {
            fault = Accounts.takeTokens(wallet, action.id, action.amount);
            if (fault != 0) return fault;
        }
        Accounts.addTokens(pool, action.id, action.amount);
    }

    /// @dev Out of the pool, within the outflow limit: one token counts as one dollar. Refused tokens stay in the receiver's
    /// vault half, and count all the same.
    function _send(Terms calldata terms, bool isCash, uint256 id, uint256 amount, uint256 to)
        private
        returns (uint256 fault)
    {
        uint256 pool = uint160(address(this));
        if (amount == 0) return SkipReason.ZERO_AMOUNT;
        if (to == 0 || to == pool) return SkipReason.BAD_RECEIVER;
        uint256 slot = Words.accountSlot(pool);
        uint256 account = slot.read();
        (uint256 counted, bool fits) = account.count(amount, terms.outflowLimit, terms.outflowWindow);
        if (!fits) return SkipReason.OUTFLOW_LIMIT;
        if (isCash && account.cash() < amount) return SkipReason.INSUFFICIENT_CASH;
        if (!isCash && Accounts.vaultOf(pool, id) < amount) return SkipReason.INSUFFICIENT_TOKENS;
        slot.write(counted);
        if (isCash) {
            // slither-disable-next-line unused-return
            Accounts.takeCash(pool, amount);
            if (terms.collateral.trySafeTransfer(address(uint160(to)), amount)) return SkipReason.NONE;
            slot.write(account);
            return SkipReason.TRANSFER_FAILED;
        }
        if (!Accounts.tryDeliver(pool, to, id, amount)) {
            // slither-disable-next-line unused-return
            Accounts.takeTokens(pool, id, amount);
            Accounts.addTokens(to, id, amount);
            emit IVault.DeliveryRefused(address(uint160(to)), id, amount);
        }
    }

    function _start(bytes calldata record) private pure returns (uint256 start) {
        assembly ("memory-safe") {
            start := record.offset
        }
    }

    function _word(uint256 offset) private pure returns (uint256 word) {
        assembly ("memory-safe") {
            word := calldataload(offset)
        }
    }
}
