"""Settings of one running venue, and every limit with its name. Data only; `bridge/venue.py` fills it in."""

from dataclasses import dataclass
from enum import StrEnum

MAX_BODY_BYTES = 1_000_000
"""Largest request body that any route reads."""
SIGNATURE_WINDOW_S = 30
"""How far a request's timestamp may be from wall time, either way."""
L2_WINDOW_S = 300
"""The same for Polymarket's HMAC: its clients sign once and then page through many requests."""
MAX_PAGE = 1_000
"""Largest page of any list."""
SNAPSHOT_EVERY = 10_000
"""So many commands are replayed at a start, at most: a snapshot is written when there are more."""
CLIENT_CHAIN_ID = 80_002
"""The chain id that Polymarket's unmodified clients sign with. Never 137: that would be a valid mainnet order."""
COMPATIBLE_V1 = "0xdFE02Eb6733538f8Ea35D585af8DE5958AD99E40"
"""The exchange address in the V1 client's own table for 80002 (an EIP-712 domain field, not a deployment)."""
COMPATIBLE_V2 = "0xE111180000d2663C0091e4f400237545B87B996B"
"""The same for V2."""


class UsageTier(StrEnum):
    """Kalshi's names of how much an account may ask for; `gateways/kalshi_rates.py` has the numbers."""

    BASIC = "basic"
    ADVANCED = "advanced"
    EXPERT = "expert"
    PREMIER = "premier"
    PARAGON = "paragon"
    PRIME = "prime"
    PRESTIGE = "prestige"


@dataclass(frozen=True, slots=True)
class AttemptLimit:
    """`most` attempts at once, and as many in `window_s` seconds."""

    most: int
    window_s: int


SIGN_INS_PER_ACCOUNT = AttemptLimit(10, 300)
"""Failed sign-ins that name one account: by password, by API key, or nonces that no wallet signed."""
SIGN_INS_PER_ADDRESS = AttemptLimit(100, 300)
"""The same, and sign-ups, that come from one address."""
RELAYS_PER_WALLET = AttemptLimit(10, 600)
"""Deposits by permit that the venue sends for one wallet, and pays for."""
RELAYS_PER_ADDRESS = AttemptLimit(60, 600)
"""The same for one address."""


@dataclass(frozen=True, slots=True)
class StreamLimits:
    """Bounds of the WebSocket streams. Whoever passes one is told which, and slows nobody else."""

    connections: int = 2_000
    """Open connections of the whole venue; one more is refused with 503."""
    connections_per_user: int = 200
    """Open connections of one account, or of one address where nobody has said who they are; 429 beyond it."""
    markets: int = 10_000
    """Markets (or tokens) of one subscription."""
    message_bytes: int = 1_000_000
    """Largest message from a client; a larger one closes its connection with code 1009."""
    commands_per_s: int = 200
    """Messages that a client may send per second, with as many at once; the ones beyond it are refused."""
    backlog_bytes: int = 4_000_000
    """What a client may leave unread; beyond it the connection is closed with code 1013."""
    grace_s: float = 5.0
    """How long a client that was cut off may still read what waits for it."""
    history: int = 50_000
    """Newest facts kept for clients that come back; older ones are a gap, which is announced."""
    replay: int = 10_000
    """Most messages that one subscription gets again when its client resumes; more are a gap."""
    pending: int = 100_000
    """Facts that may wait to be sent; beyond it every connection is closed, because the book goes on."""
    silence_s: float = 10.0
    """How long a client that has to say who it is may stay silent."""


HEARTBEAT_S = 10
"""A ping goes to every connection so often (Kalshi's rhythm); two missed answers close it."""


@dataclass(frozen=True, slots=True)
class Settings:
    """What gateways need to know of the venue they serve."""

    chain_id: int
    venue_address: str
    collateral_address: str
    api_secret: bytes
    """Derives Polymarket-dialect API credentials; never leaves the process."""
    operator_token: str
    confirmations: int
    settle_deadline_s: int
    exit_delay_s: int
    client_chain_id: int = CLIENT_CHAIN_ID
    compatible_v1: str = COMPATIBLE_V1
    compatible_v2: str = COMPATIBLE_V2
    http_url: str = ""
    rpc_url: str = ""
    stream: StreamLimits = StreamLimits()
    rate_limit_tier: UsageTier | None = None
    """Kalshi's usage tier that its dialect enforces. None: requests are counted, none is refused."""
    reviewer_token: str = ""
    """Disputes and amends outcomes; somebody else's than the operator's. Empty: nobody can."""
