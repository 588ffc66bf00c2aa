"""Rate limits in Kalshi's dialect: token buckets for reads and writes, one pair per account, sized by the venue's tier.

Buckets are always counted, so every answer tells what is left; whether an empty one refuses is a setting. Amounts are
thousandths of a token, so that a bucket refills exactly, whatever the time between two requests.
"""

import time
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

from offchain_book.config import UsageTier
from offchain_book.gateways.json_answer import Header
from offchain_book.gateways.kalshi_call import Json
from offchain_book.gateways.kalshi_errors import KalshiError

DEFAULT_COST = 10
"""Tokens of a request that `COSTS` does not name."""
COSTS: Mapping[str, int] = {"CancelOrderV2": 2, "BatchCancelOrdersV2": 2, "CancelOrder": 2, "BatchCancelOrders": 2}
"""Operation -> tokens; a batch costs this for each of its rows."""
PER_ROW = ("BatchCreateOrdersV2", "BatchCancelOrdersV2", "BatchCreateOrders", "BatchCancelOrders")
"""Operations that are charged for their rows, all or nothing, when these are known."""
MAX_SENDERS = 10_000
"""Most senders whose buckets are kept; the one that was silent longest starts anew with a full one."""
_UNIT = 1_000


@dataclass(frozen=True, slots=True)
class Tier:
    """Tokens a second, and how many seconds the write bucket holds."""

    read: int
    write: int
    write_s: int = 2


TIERS: Mapping[UsageTier, Tier] = {
    UsageTier.BASIC: Tier(200, 100, 1),
    UsageTier.ADVANCED: Tier(300, 300),
    UsageTier.EXPERT: Tier(600, 600),
    UsageTier.PREMIER: Tier(1_000, 1_000),
    UsageTier.PARAGON: Tier(2_000, 2_000),
    UsageTier.PRIME: Tier(4_000, 4_000),
    UsageTier.PRESTIGE: Tier(10_000, 8_000),
}
"""Kalshi's usage tiers (its getting-started pages, 2026)."""


def monotonic_ms() -> int:
    """Return a time that neither the venue's clock nor the world's moves back."""
    return time.monotonic_ns() // 1_000_000


class Bucket:
    """Tokens that refill with time."""

    __slots__ = ("_at_ms", "_filled", "capacity", "per_s")

    def __init__(self, per_s: int, capacity: int, now_ms: int) -> None:
        self.per_s = per_s
        self.capacity = capacity
        self._filled = capacity * _UNIT
        self._at_ms = now_ms

    def refill(self, now_ms: int) -> None:
        """Add what time has brought."""
        passed = max(0, now_ms - self._at_ms)
        self._filled = min(self.capacity * _UNIT, self._filled + passed * self.per_s * _UNIT // 1_000)
        self._at_ms = max(self._at_ms, now_ms)

    def take(self, tokens: int) -> bool:
        """Take tokens if there are enough; otherwise none."""
        if tokens * _UNIT > self._filled:
            return False
        self._filled -= tokens * _UNIT
        return True

    def drain(self) -> None:
        """Take whatever is left."""
        self._filled = 0

    @property
    def left(self) -> int:
        """Whole tokens left."""
        return self._filled // _UNIT

    @property
    def full_in_s(self) -> int:
        """Seconds until the bucket is full, rounded up."""
        return -(-(self.capacity * _UNIT - self._filled) // (self.per_s * _UNIT))


@dataclass(slots=True)
class Buckets:
    """One sender's pair."""

    read: Bucket
    write: Bucket


class Limiter:
    """The buckets of everybody who has asked lately."""

    def __init__(self, tier: UsageTier | None) -> None:
        """Enforce a tier; None: count as in the lowest one, and refuse nothing."""
        self.tier = tier or UsageTier.BASIC
        self.enforced = tier is not None
        self._sizes = TIERS[self.tier]
        self._senders: OrderedDict[str, Buckets] = OrderedDict()

    def bucket(self, sender: str, method: str, now_ms: int) -> Bucket:
        """Return the bucket that a request of `sender` draws from, refilled."""
        pair = self._senders.get(sender)
        if pair is None:
            sizes = self._sizes
            read = Bucket(sizes.read, sizes.read, now_ms)
            pair = self._senders[sender] = Buckets(read, Bucket(sizes.write, sizes.write * sizes.write_s, now_ms))
            if len(self._senders) > MAX_SENDERS:
                self._senders.popitem(last=False)
        else:
            self._senders.move_to_end(sender)
        bucket = pair.read if method == "GET" else pair.write
        bucket.refill(now_ms)
        return bucket

    def charge(self, bucket: Bucket, tokens: int) -> None:
        """Take tokens, all or none. Raises a 429 when they are not there and limits are on."""
        if bucket.take(tokens):
            return
        if self.enforced:
            raise KalshiError(
                429,
                "too_many_requests",
                f"this request costs {tokens} tokens and {bucket.left} are left; {bucket.per_s} come back each second",
                {"need": tokens, "have": bucket.left, "tokens_per_s": bucket.per_s, "tier": self.tier},
            )
        bucket.drain()

    def view(self) -> Json:
        """Return GetAccountApiLimitsResponse. The venue has one tier for everybody, so nobody has a grant of another."""
        sizes = self._sizes
        return {
            "usage_tier": self.tier,
            "read": {"refill_rate": sizes.read, "bucket_capacity": sizes.read},
            "write": {"refill_rate": sizes.write, "bucket_capacity": sizes.write * sizes.write_s},
            "grants": [],
            "enforced": self.enforced,
        }


def cost_of(operation_id: str) -> int:
    """Return what an operation costs, each row of a batch."""
    return COSTS.get(operation_id, DEFAULT_COST)


def headers(bucket: Bucket) -> tuple[Header, ...]:
    """Return what every answer tells about the bucket: its size, what is left, seconds until it is full."""
    return (
        (b"x-ratelimit-limit", b"%d" % bucket.capacity),
        (b"x-ratelimit-remaining", b"%d" % bucket.left),
        (b"x-ratelimit-reset", b"%d" % bucket.full_in_s),
    )
