"""The terms that the stage's venue is deployed under."""

from offchain_book.signatures import keccak256

COMPATIBLE_CHAIN_ID = 80_002
COMPATIBLE_V1 = "0xdFE02Eb6733538f8Ea35D585af8DE5958AD99E40"
COMPATIBLE_V2 = "0xE111180000d2663C0091e4f400237545B87B996B"
SALT = "0x" + keccak256(b"stage").hex()
QUESTION = "0x" + keccak256(b"will it rain").hex()

EXIT_DELAY_S = 600
SETTLEMENT_DEADLINE_S = 60
OBSERVATION_LAG_S = 30
OUTFLOW_LIMIT = 1_000_000_000_000
OUTFLOW_WINDOW_S = 3600

CONFIGURATION = (
    "collateral",
    "operator",
    "oracle",
    "reviewer",
    "guardian",
    "admin",
    "exitDelay",
    "settlementDeadline",
    "observationLag",
    "salt",
    "compatibleChainId",
    "compatibleV1",
    "compatibleV2",
    "poolOutflowLimit",
    "poolOutflowWindow",
)
"""The fields of the constructor's struct, in order."""
