"""Settings of one running venue, and every limit with its name. Data only; `bridge/venue.py` fills it in."""

from dataclasses import dataclass

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
