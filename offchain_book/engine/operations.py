"""Operations: what the engine has decided and the chain has still to execute, in one numbered stream.

The engine numbers operations from 0 without gaps. `bridge/settlement.py` packs consecutive operations into the calldata
of `settleBatch`; the contract executes them in exactly this order. Field types are plain so that the journal, the packer
and the trace share them.
"""

from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Final


class Outcome(IntEnum):
    """An outcome of a condition; the value is the last byte of its token id."""

    YES = 1
    NO = 2

    @property
    def complement(self) -> "Outcome":
        """The other outcome."""
        return NO if self is YES else YES


YES: Final = Outcome.YES
NO: Final = Outcome.NO


class TokenSide(IntEnum):
    """What an order does with its own token; values as in Polymarket's order structs."""

    BUY = 0
    SELL = 1


class OrderScheme(StrEnum):
    """The EIP-712 struct and domain under which a wallet order was signed."""

    NATIVE = "native"
    POLYMARKET_V1 = "polymarket_v1"
    POLYMARKET_V2 = "polymarket_v2"


NATIVE: Final = OrderScheme.NATIVE
POLYMARKET_V1: Final = OrderScheme.POLYMARKET_V1
POLYMARKET_V2: Final = OrderScheme.POLYMARKET_V2


class MatchKind(IntEnum):
    """How a fill moves tokens: they change hands, a full set is made, or a full set is redeemed."""

    COMPLEMENTARY = 0
    MINT = 1
    MERGE = 2


COMPLEMENTARY: Final = MatchKind.COMPLEMENTARY
MINT: Final = MatchKind.MINT
MERGE: Final = MatchKind.MERGE

ZERO_BYTES32 = "0x" + "00" * 32
ZERO_ADDRESS = "0x" + "00" * 20


@dataclass(frozen=True, slots=True)
class SignedOrder:
    """What a wallet signed, field by field as the contract hashes it.

    Amounts are millionths. Addresses and byte strings are 0x-prefixed lower-case hex; `salt` is a decimal string because
    it may need 256 bits. Fields that a scheme does not sign keep their defaults.
    """

    scheme: OrderScheme
    digest: str
    """EIP-712 digest, which is also the order id in Polymarket's dialect."""
    maker: str
    signer: str
    token_id: str
    """Decimal string."""
    side: TokenSide
    sell_amount_micros: int
    """`makerAmount`: what the order gives (cash for BUY, tokens for SELL)."""
    buy_amount_micros: int
    """`takerAmount`: what the order asks for."""
    salt: str
    signature: str
    signature_type: int = 0
    timestamp_ms: int = 0
    """V2 only."""
    metadata: str = ZERO_BYTES32
    """V2 only."""
    builder: str = ZERO_BYTES32
    """V2 and native."""
    expiration_s: int = 0
    """V1 and native; 0 means no expiry."""
    nonce: int = 0
    """V1 and native."""
    fee_rate_bps: int = 0
    """V1: the signed fee rate. Native: the signed fee cap."""


@dataclass(frozen=True, slots=True)
class FillLeg:
    """One side of a fill as the chain sees it. `wallet is None` is the custody pool, which signs nothing."""

    order_id: str
    account_id: str
    wallet: str | None
    outcome: Outcome
    side: TokenSide
    fee_micros: int
    signed: SignedOrder | None
    closes_order: bool
    """True at the order's last fill: nothing of it can be filled later."""


@dataclass(frozen=True, slots=True)
class FillOperation:
    """One fill with at least one wallet leg. `price_e4` is the YES price; `size_micros` a multiple of the lot."""

    number: int
    match_id: int
    ticker: str
    condition_id: str
    kind: MatchKind
    size_micros: int
    price_e4: int
    taker: FillLeg
    maker: FillLeg
    not_after_s: int


class PoolAction(StrEnum):
    """What the custody pool does by itself."""

    SPLIT = "split"
    MERGE = "merge"
    REDEEM = "redeem"
    SEND_CASH = "send_cash"
    SEND_TOKENS = "send_tokens"


@dataclass(frozen=True, slots=True)
class PoolOperation:
    """The pool splits, merges, redeems, or sends cash or tokens to a wallet's free half."""

    number: int
    action: PoolAction
    ticker: str
    condition_id: str
    outcome: Outcome | None
    amount_micros: int
    to: str
    not_after_s: int
    reference: str
    """Id of the withdrawal or tokenization that asked for it; empty for the pool's own housekeeping."""


class VaultActionKind(IntEnum):
    """What a wallet may sign for its own vault balance (`VaultAction.kind`)."""

    WITHDRAW = 0
    SPLIT = 1
    MERGE = 2
    REDEEM = 3
    SET_DELIVERY = 4
    TAKE_BACK = 5
    """Cash or tokens in the vault go into the pool, for the custodial account that the wallet is linked to."""
    TAKE_BACK_FREE = 6
    """The same for tokens of the wallet's free half, which the ledger does not know: the chain says whether they were there."""


@dataclass(frozen=True, slots=True)
class VaultAction:
    """EIP-712 `VaultAction(address wallet,uint8 kind,uint256 id,uint256 amount,address to,uint256 nonce,uint256 deadline)`.

    `id` (decimal string) is 0 for cash, a token id for a token (withdraw, redeem, take back), the condition id for split and
    merge. For SET_DELIVERY `amount` is 1 (bought tokens arrive free) or 0 (in the vault). `to` matters to WITHDRAW alone.
    """

    wallet: str
    kind: VaultActionKind
    id: str
    amount_micros: int
    to: str
    nonce: str
    deadline_s: int
    signature: str


@dataclass(frozen=True, slots=True)
class WalletOperation:
    """A signed vault action, executed by the operator in stream order."""

    number: int
    action_id: str
    action: VaultAction
    ticker: str
    needs: tuple[tuple[str, int], ...]
    """What the ledger holds for it: (asset, millionths)."""
    not_after_s: int
    to_account: str = ""
    """TAKE_BACK, TAKE_BACK_FREE: the custodial account that is credited when it is final."""


Operation = FillOperation | PoolOperation | WalletOperation
