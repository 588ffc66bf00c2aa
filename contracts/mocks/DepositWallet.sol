// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {EIP712} from "@openzeppelin/contracts/utils/cryptography/EIP712.sol";
import {ERC7739} from "@openzeppelin/contracts/utils/cryptography/signers/draft-ERC7739.sol";
import {SignerECDSA} from "@openzeppelin/contracts/utils/cryptography/signers/SignerECDSA.sol";
import {ERC1155Holder} from "@openzeppelin/contracts/token/ERC1155/utils/ERC1155Holder.sol";

/// @notice For tests: the kind of wallet for which Polymarket's client signs orders of type 3 (ERC-7739, named
/// "DepositWallet"). One key signs for it and makes it call anything.
contract DepositWallet is ERC7739, SignerECDSA, ERC1155Holder {
    /// @dev The chain id that the client signs with, which is not this chain's.
    uint256 private constant CLIENT_CHAIN_ID = 80002;

    error OnlyTheKey(address caller);

    constructor(address key_) EIP712("DepositWallet", "1") SignerECDSA(key_) {}

    function call(address target, bytes calldata data) external returns (bytes memory) {
        if (msg.sender != signer()) revert OnlyTheKey(msg.sender);
        // solhint-disable-next-line avoid-low-level-calls
        (bool ok, bytes memory result) = target.call(data);
        if (!ok) {
            assembly ("memory-safe") {
                revert(add(result, 0x20), mload(result))
            }
        }
        return result;
    }

    function eip712Domain()
        public
        view
        override
        returns (
            bytes1 fields,
            string memory name,
            string memory version,
            uint256 chainId,
            address verifyingContract,
            bytes32 salt,
            uint256[] memory extensions
        )
    {
        (fields, name, version,, verifyingContract, salt, extensions) = super.eip712Domain();
        chainId = CLIENT_CHAIN_ID;
    }
}
