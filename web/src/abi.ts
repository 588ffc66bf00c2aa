// The parts of the contracts that the page calls or reads.
import { parseAbi } from "viem";

export const collateralAbi = parseAbi([
  "function balanceOf(address) view returns (uint256)",
  "function approve(address spender, uint256 amount) returns (bool)",
  "function nonces(address) view returns (uint256)",
  "event Transfer(address indexed from, address indexed to, uint256 value)",
]);
export const venueAbi = parseAbi([
  "function deposit(uint256 amount)",
  "function depositFor(bytes32 accountReference, uint256 amount)",
  "function requestExit()",
  "function exit(uint256[] ids)",
  "function exitAt(address wallet) view returns (uint256)",
  "function cashOf(address wallet) view returns (uint256)",
  "function vaultBalanceOf(address wallet, uint256 id) view returns (uint256)",
  "function nextOperation() view returns (uint256)",
  "event Deposited(uint256 indexed index, address indexed wallet, bytes32 indexed accountReference, address from, uint256 id, uint256 amount)",
  "event Filled(address indexed taker, address indexed maker, uint256 takerTokenId, uint256 details)",
  "event OperationSkipped(uint256 indexed number, uint8 reason)",
  "event PoolActionExecuted(uint256 indexed number, uint8 action, uint256 id, uint256 amount, address indexed to)",
  "event ExitRequested(address indexed wallet, uint256 effectiveAt)",
  "event Exited(address indexed wallet, uint256 cash, uint256[] ids, bool finished)",
  "event ConditionPrepared(bytes32 indexed conditionId, bytes32 indexed questionId)",
  "event ConditionResolved(bytes32 indexed conditionId, uint256 yesPayoutMicros)",
  "event SetsSplit(address indexed holder, bytes32 indexed conditionId, uint256 amount)",
  "event SetsMerged(address indexed holder, bytes32 indexed conditionId, uint256 amount)",
  "event Redeemed(address indexed holder, bytes32 indexed conditionId, uint256 yesAmount, uint256 noAmount, uint256 payout)",
  "event TransferSingle(address indexed operator, address indexed from, address indexed to, uint256 id, uint256 value)",
  "event TransferBatch(address indexed operator, address indexed from, address indexed to, uint256[] ids, uint256[] values)",
]);
