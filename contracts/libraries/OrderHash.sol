// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

/// @title EIP-712 type hashes, domain separators, and signature recovery from packed calldata.
library OrderHash {
    bytes32 internal constant DOMAIN_TYPE =
        keccak256("EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)");

    bytes32 internal constant NATIVE_NAME = keccak256("Causeway");
    bytes32 internal constant POLYMARKET_NAME = keccak256("Polymarket CTF Exchange");
    bytes32 internal constant VERSION_1 = keccak256("1");
    bytes32 internal constant VERSION_2 = keccak256("2");

    bytes32 internal constant NATIVE_ORDER_TYPE = keccak256(
        "Order(address wallet,uint256 tokenId,uint8 side,uint256 sellAmount,uint256 buyAmount,"
        "uint256 nonce,uint256 expiration,uint256 feeCapBps,bytes32 builder)"
    );
    bytes32 internal constant V1_ORDER_TYPE = keccak256(
        "Order(uint256 salt,address maker,address signer,address taker,uint256 tokenId,uint256 makerAmount,"
        "uint256 takerAmount,uint256 expiration,uint256 nonce,uint256 feeRateBps,uint8 side,uint8 signatureType)"
    );
    bytes32 internal constant V2_ORDER_TYPE = keccak256(
        "Order(uint256 salt,address maker,address signer,uint256 tokenId,uint256 makerAmount,uint256 takerAmount,"
        "uint8 side,uint8 signatureType,uint256 timestamp,bytes32 metadata,bytes32 builder)"
    );
    bytes32 internal constant VAULT_ACTION_TYPE = keccak256(
        "VaultAction(address wallet,uint8 kind,uint256 id,uint256 amount,address to,uint256 nonce,uint256 deadline)"
    );

    /// @dev Half of the curve's order: a higher s is the same signature a second time.
    uint256 private constant HALF_ORDER = 0x7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a0;

    function domainSeparator(bytes32 name, bytes32 version, uint256 chainId, address verifyingContract)
        internal
        pure
        returns (bytes32)
    {
        return keccak256(abi.encode(DOMAIN_TYPE, name, version, chainId, verifyingContract));
    }

    function typedDigest(bytes32 separator, bytes32 structHash) internal pure returns (bytes32 digest) {
        assembly ("memory-safe") {
            let m := mload(0x40)
            mstore(m, hex"1901")
            mstore(add(m, 2), separator)
            mstore(add(m, 0x22), structHash)
            digest := keccak256(m, 0x42)
        }
    }

    /// @notice Whether the 64 bytes at calldata `offset` (r, then v in the top bit of s) are `wallet`'s signature.
    function isSignedBy(bytes32 digest, uint256 offset, uint256 wallet) internal view returns (bool valid) {
        uint256 halfOrder = HALF_ORDER;
        assembly ("memory-safe") {
            let m := mload(0x40)
            let vs := calldataload(add(offset, 0x20))
            let s := shr(1, shl(1, vs))
            mstore(m, digest)
            mstore(add(m, 0x20), add(27, shr(255, vs)))
            mstore(add(m, 0x40), calldataload(offset))
            mstore(add(m, 0x60), s)
            mstore(0, 0)
            pop(staticcall(gas(), 1, m, 0x80, 0, 0x20))
            valid := and(gt(wallet, 0), and(eq(mload(0), wallet), iszero(gt(s, halfOrder))))
        }
    }
}
