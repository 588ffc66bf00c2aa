// SPDX-License-Identifier: MIT
pragma solidity 0.8.37;

import {IERC20} from "@openzeppelin/contracts/token/ERC20/IERC20.sol";
import {IERC20Metadata} from "@openzeppelin/contracts/token/ERC20/extensions/IERC20Metadata.sol";
import {Configuration, IVenue} from "../interfaces/IVenue.sol";
import {Words} from "../libraries/Words.sol";

/// @title Constants, immutables and storage that several concerns share.
abstract contract VenueBase is IVenue {
    using Words for uint256;

    uint256 internal constant FORBIDDEN_CHAIN_ID = 137;
    uint256 internal constant MAX_DELAY = 365 days;

    IERC20 internal immutable _collateral;
    uint256 internal immutable _exitDelay;
    uint256 internal immutable _settlementDeadline;
    uint256 internal immutable _observationLag;
    bytes32 internal immutable _salt;
    uint256 internal immutable _compatibleChainId;
    address internal immutable _compatibleV1;
    address internal immutable _compatibleV2;
    uint256 internal immutable _poolOutflowLimit;
    uint256 internal immutable _poolOutflowWindow;

    /// @dev Operator, next operation, skipped operations, pause flag. Accounts, tokens, orders and conditions live in hashed
    /// slots: see {Words}.
    uint256 internal _control;
    /// @dev Holders of the roles other than the operator.
    mapping(Role role => address) internal _holders;
    uint256 internal _depositCount;

    constructor(Configuration memory c) {
        if (block.chainid == FORBIDDEN_CHAIN_ID) revert ForbiddenChainId(block.chainid);
        if (c.compatibleChainId == FORBIDDEN_CHAIN_ID) revert ForbiddenChainId(c.compatibleChainId);
        uint256 needed = uint256(c.observationLag) + c.settlementDeadline;
        if (c.exitDelay <= needed) revert ExitDelayTooShort(c.exitDelay, needed);
        if (c.exitDelay > MAX_DELAY) revert DelayTooLong(c.exitDelay, MAX_DELAY);
        if (c.poolOutflowWindow == 0 || c.poolOutflowLimit > Words.MAX_OUTFLOW_LEVEL / c.poolOutflowWindow) {
            revert BadOutflowLimit(c.poolOutflowLimit, c.poolOutflowWindow);
        }
        if (c.operator == address(0) || c.oracle == address(0) || c.reviewer == address(0)) revert ZeroAddress();
        if (c.guardian == address(0) || c.admin == address(0) || c.collateral == address(0)) revert ZeroAddress();
        uint8 decimals = IERC20Metadata(c.collateral).decimals();
        if (decimals != 6) revert BadDecimals(decimals);

        _collateral = IERC20(c.collateral);
        _exitDelay = c.exitDelay;
        _settlementDeadline = c.settlementDeadline;
        _observationLag = c.observationLag;
        _salt = c.salt;
        _compatibleChainId = c.compatibleChainId;
        _compatibleV1 = c.compatibleV1;
        _compatibleV2 = c.compatibleV2;
        _poolOutflowLimit = c.poolOutflowLimit;
        _poolOutflowWindow = c.poolOutflowWindow;

        _control = uint160(c.operator);
        _holders[Role.Oracle] = c.oracle;
        _holders[Role.Reviewer] = c.reviewer;
        _holders[Role.Guardian] = c.guardian;
        _holders[Role.Admin] = c.admin;
    }

    modifier onlyRole(Role role) {
        if (msg.sender != _holderOf(role)) revert NotRole(role, msg.sender);
        _;
    }

    /// @inheritdoc IVenue
    function configuration() external view returns (Configuration memory) {
        return Configuration({
            collateral: address(_collateral),
            operator: _holderOf(Role.Operator),
            oracle: _holderOf(Role.Oracle),
            reviewer: _holderOf(Role.Reviewer),
            guardian: _holderOf(Role.Guardian),
            admin: _holderOf(Role.Admin),
            exitDelay: uint64(_exitDelay),
            settlementDeadline: uint64(_settlementDeadline),
            observationLag: uint64(_observationLag),
            salt: _salt,
            compatibleChainId: _compatibleChainId,
            compatibleV1: _compatibleV1,
            compatibleV2: _compatibleV2,
            poolOutflowLimit: _poolOutflowLimit,
            poolOutflowWindow: uint64(_poolOutflowWindow)
        });
    }

    function _holderOf(Role role) internal view returns (address) {
        return role == Role.Operator ? address(uint160(_control)) : _holders[role];
    }

    function _account(address holder) internal view returns (uint256) {
        return Words.accountSlot(uint160(holder)).read();
    }
}
