// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC1155} from "@openzeppelin/contracts/token/ERC1155/IERC1155.sol";
import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {Configuration, IVenue} from "../../contracts/interfaces/IVenue.sol";

/// @notice The cheat codes that these tests use.
interface Vm {
    function warp(uint256 timestamp) external;
    function chainId(uint256 id) external;
    function prank(address sender) external;
    function etch(address target, bytes calldata code) external;
    function addr(uint256 key) external pure returns (address);
    function sign(uint256 key, bytes32 digest) external pure returns (uint8 v, bytes32 r, bytes32 s);
    function readFileBinary(string calldata path) external view returns (bytes memory);
    function expectRevert() external;
    function expectRevert(bytes calldata data) external;
    function assume(bool condition) external pure;
}

interface IUsd is IERC20 {
    function faucet(address to, uint256 amount) external;
    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external;
    function nonces(address owner) external view returns (uint256);
    function DOMAIN_SEPARATOR() external view returns (bytes32);
}

/// @notice What a wallet signs, both kinds that settle in words that orders share.
struct Order {
    bool v2;
    uint256 key;
    address wallet;
    uint256 id;
    uint256 side;
    uint64 sell;
    uint64 buy;
    /// V2: milliseconds. Native: the nonce.
    uint48 stamp;
    /// V2 only.
    uint48 salt;
    /// Native only.
    uint40 expiration;
    /// Native only.
    uint16 feeCapBps;
}

/// @title A deployed venue of production bytecode, people with keys, orders and the packed format.
abstract contract Base {
    Vm internal constant vm = Vm(address(uint160(uint256(keccak256("hevm cheat code")))));

    uint256 internal constant START = 1_800_000_000;
    uint256 internal constant EXIT_DELAY = 600;
    uint256 internal constant DEADLINE = 60;
    uint256 internal constant LAG = 30;
    uint256 internal constant OUTFLOW_LIMIT = 1_000e6;
    uint256 internal constant OUTFLOW_WINDOW = 3600;
    uint256 internal constant DOLLAR = 1e6;
    uint256 internal constant LOT = 1e4;
    uint256 internal constant BUY = 0;
    uint256 internal constant SELL = 1;
    uint256 internal constant YES = 1;
    uint256 internal constant NO = 2;
    address internal constant COMPATIBLE_V2 = 0xE111180000d2663C0091e4f400237545B87B996B;

    address internal immutable operator = vm.addr(0x101);
    address internal immutable oracle = vm.addr(0x102);
    address internal immutable reviewer = vm.addr(0x103);
    address internal immutable guardian = vm.addr(0x104);
    address internal immutable admin = vm.addr(0x105);

    IVenue internal venue;
    IERC1155 internal tokens;
    IUsd internal usd;
    bytes32 internal condition;
    uint256 internal salts;

    // --- deployment

    function deploy() internal {
        vm.warp(START);
        usd = IUsd(create("TestUSD", ""));
        for (uint256 i; i < 4; ++i) {
            string memory name = ["Actions", "Intake", "Metadata", "Watermarks"][i];
            vm.etch(address(uint160(uint256(keccak256(bytes(name))))), create(name, "").code);
        }
        venue = IVenue(create("Venue", abi.encode(configuration())));
        tokens = IERC1155(address(venue));
        vm.prank(operator);
        condition = venue.prepareCondition("will it rain");
    }

    function configuration() internal view virtual returns (Configuration memory) {
        return Configuration({
            collateral: address(usd),
            operator: operator,
            oracle: oracle,
            reviewer: reviewer,
            guardian: guardian,
            admin: admin,
            exitDelay: uint64(EXIT_DELAY),
            settlementDeadline: uint64(DEADLINE),
            observationLag: uint64(LAG),
            salt: bytes32(uint256(7)),
            compatibleChainId: 80002,
            compatibleV1: address(0),
            compatibleV2: COMPATIBLE_V2,
            poolOutflowLimit: OUTFLOW_LIMIT,
            poolOutflowWindow: uint64(OUTFLOW_WINDOW)
        });
    }

    /// @dev Creation code of the production build, written by tests/contracts/forge.py.
    function create(string memory name, bytes memory arguments) internal returns (address made) {
        bytes memory code = bytes.concat(vm.readFileBinary(string.concat("var/forge/", name, ".bin")), arguments);
        assembly ("memory-safe") {
            made := create(0, add(code, 0x20), mload(code))
        }
        require(made != address(0), string.concat(name, " was not deployed"));
    }

    // --- people

    function key(uint256 i) internal pure returns (uint256) {
        return 0x1000 + i;
    }

    function person(uint256 i) internal pure returns (address) {
        return vm.addr(key(i));
    }

    /// @dev Cash and full sets in the vault.
    function fund(address who, uint256 cash, uint256 sets) internal {
        usd.faucet(who, cash + sets);
        vm.prank(who);
        usd.approve(address(venue), type(uint256).max);
        if (cash != 0) {
            vm.prank(who);
            venue.deposit(cash);
        }
        if (sets == 0) return;
        vm.prank(who);
        venue.split(condition, sets);
        for (uint256 outcome = YES; outcome <= NO; ++outcome) {
            vm.prank(who);
            venue.depositTokens(id(outcome), sets);
        }
    }

    function fundPool(uint256 cash, uint256 sets) internal {
        address giver = person(99);
        fund(giver, 0, 0);
        usd.faucet(giver, cash + sets);
        vm.prank(giver);
        venue.depositFor(bytes32(uint256(1)), cash);
        vm.prank(giver);
        venue.split(condition, sets);
        for (uint256 outcome = YES; outcome <= NO; ++outcome) {
            vm.prank(giver);
            venue.depositTokensFor(bytes32(uint256(1)), id(outcome), sets);
        }
    }

    function id(uint256 outcome) internal view returns (uint256) {
        return uint256(condition) | outcome;
    }

    function vault(address who, uint256 outcome) internal view returns (uint256) {
        return venue.vaultBalanceOf(who, id(outcome));
    }

    // --- orders

    /// @dev A limit order for `lots` at `price` of its own token.
    function order(bool v2, uint256 who, uint256 side, uint256 outcome, uint256 price, uint256 lots)
        internal
        returns (Order memory)
    {
        (uint256 cost, uint256 size) = (lots * price, lots * LOT);
        (uint256 sell, uint256 buy) = side == BUY ? (cost, size) : (size, cost);
        uint48 number = uint48(++salts);
        return Order({
            v2: v2,
            key: key(who),
            wallet: person(who),
            id: id(outcome),
            side: side,
            sell: uint64(sell),
            buy: uint64(buy),
            stamp: v2 ? uint48(block.timestamp * 1000) : number,
            salt: number,
            expiration: 0,
            feeCapBps: 700
        });
    }

    function digestOf(Order memory o) internal view returns (bytes32) {
        (bytes32 native,, bytes32 v2) = venue.domainSeparators();
        bytes32 content = o.v2
            ? keccak256(
                abi.encode(
                    bytes32(0xbb86318a2138f5fa8ae32fbe8e659f8fcf13cc6ae4014a707893055433818589),
                    uint256(o.salt),
                    o.wallet,
                    o.wallet,
                    o.id,
                    uint256(o.sell),
                    uint256(o.buy),
                    o.side,
                    uint256(0),
                    uint256(o.stamp),
                    bytes32(0),
                    bytes32(0)
                )
            )
            : keccak256(
                abi.encode(
                    keccak256(
                        "Order(address wallet,uint256 tokenId,uint8 side,uint256 sellAmount,uint256 buyAmount,uint256 nonce,uint256 expiration,uint256 feeCapBps,bytes32 builder)"
                    ),
                    o.wallet,
                    o.id,
                    o.side,
                    uint256(o.sell),
                    uint256(o.buy),
                    uint256(o.stamp),
                    uint256(o.expiration),
                    uint256(o.feeCapBps),
                    bytes32(0)
                )
            );
        return keccak256(bytes.concat(hex"1901", o.v2 ? v2 : native, content));
    }

    function compactSignature(uint256 signer, bytes32 digest) internal pure returns (bytes memory) {
        (uint8 v, bytes32 r, bytes32 s) = vm.sign(signer, digest);
        return abi.encodePacked(r, bytes32(uint256(s) | uint256(v - 27) << 255));
    }

    /// @dev What an order has given, in the asset it gives, as the venue tells it; all of it when closed.
    function given(Order memory o) internal view returns (uint256 amount) {
        bool closed;
        (amount, closed) =
            o.v2 ? venue.v2OrderFilled(o.wallet, o.stamp, digestOf(o)) : venue.nativeOrderFilled(o.wallet, o.stamp);
        if (closed) amount = o.sell;
    }

    // --- the packed format

    function packOrder(Order memory o) internal view returns (bytes memory) {
        bytes memory head = abi.encodePacked(o.wallet, o.sell, o.buy);
        bytes memory terms =
            o.v2 ? abi.encodePacked(o.stamp, o.salt) : abi.encodePacked(o.expiration, o.stamp, o.feeCapBps);
        return bytes.concat(head, terms, compactSignature(o.key, digestOf(o)));
    }

    function flagsOf(Order memory o) internal pure returns (uint8) {
        return o.v2 ? 3 : 1;
    }

    /// @dev One fill. The pool stands in for an order whose wallet is zero.
    function packFill(Order memory taker, Order memory maker, uint256 kind, uint256 price, uint256 lots, uint256 fee)
        internal
        view
        returns (bytes memory)
    {
        uint256 sells = taker.side << 3 | (taker.id & 2) << 1;
        uint8 takerFlags = uint8((taker.wallet == address(0) ? 0 : flagsOf(taker)) | sells);
        uint8 makerFlags = uint8((maker.wallet == address(0) ? 0 : flagsOf(maker)) | kind << 2);
        bytes memory header =
            abi.encodePacked(uint8(1), uint40(block.timestamp + DEADLINE), uint8(1), takerFlags, bytes31(condition));
        bytes memory record = abi.encodePacked(
            makerFlags,
            uint16(price),
            uint40(lots),
            uint40(taker.wallet == address(0) ? 0 : fee),
            uint40(maker.wallet == address(0) ? 0 : fee)
        );
        return bytes.concat(
            header,
            taker.wallet == address(0) ? bytes("") : packOrder(taker),
            record,
            maker.wallet == address(0) ? bytes("") : packOrder(maker)
        );
    }

    function packPool(uint8 kind, uint256 subject, uint256 amount, address to) internal view returns (bytes memory) {
        return abi.encodePacked(kind, uint40(block.timestamp + DEADLINE), subject, uint128(amount), to);
    }

    function packAction(uint256 who, uint8 kind, uint256 subject, uint256 amount, address to, uint256 nonce)
        internal
        view
        returns (bytes memory)
    {
        uint40 deadline = uint40(block.timestamp + DEADLINE);
        bytes memory body = abi.encodePacked(person(who), kind, subject, uint128(amount), to, nonce, deadline);
        return bytes.concat(
            abi.encodePacked(uint8(0x10), uint8(0), deadline),
            body,
            compactSignature(key(who), actionDigest(person(who), kind, subject, amount, to, nonce, deadline))
        );
    }

    function actionDigest(
        address wallet,
        uint256 kind,
        uint256 subject,
        uint256 amount,
        address to,
        uint256 nonce,
        uint256 deadline
    ) internal view returns (bytes32) {
        (bytes32 native,,) = venue.domainSeparators();
        bytes32 typeHash = keccak256(
            "VaultAction(address wallet,uint8 kind,uint256 id,uint256 amount,address to,uint256 nonce,uint256 deadline)"
        );
        bytes32 content = keccak256(abi.encode(typeHash, wallet, kind, subject, amount, to, nonce, deadline));
        return keccak256(bytes.concat(hex"1901", native, content));
    }

    /// @dev One operation as a batch of its own. Returns whether it landed.
    function settle(bytes memory operation) internal returns (bool landed) {
        uint256 skipped = venue.skippedOperations();
        uint256 next = venue.nextOperation();
        vm.prank(operator);
        venue.settleBatch(next, bytes.concat(hex"0001", operation));
        return venue.skippedOperations() == skipped;
    }

    function settleFill(Order memory taker, Order memory maker, uint256 price, uint256 lots, uint256 fee)
        internal
        returns (bool)
    {
        uint256 kind = taker.side != maker.side ? 0 : taker.side == BUY ? 1 : 2;
        return settle(packFill(taker, maker, kind, price, lots, fee));
    }

    // --- small things

    function bound(uint256 value, uint256 lowest, uint256 highest) internal pure returns (uint256) {
        return lowest + value % (highest - lowest + 1);
    }

    function assertEq(uint256 left, uint256 right, string memory what) internal pure {
        require(left == right, string.concat(what, ": ", _text(left), " != ", _text(right)));
    }

    function assertLe(uint256 left, uint256 right, string memory what) internal pure {
        require(left <= right, string.concat(what, ": ", _text(left), " > ", _text(right)));
    }

    function assertTrue(bool value, string memory what) internal pure {
        require(value, what);
    }

    function _text(uint256 value) private pure returns (string memory text) {
        while (true) {
            text = string.concat(string(abi.encodePacked(uint8(48 + value % 10))), text);
            value /= 10;
            if (value == 0) return text;
        }
    }
}
