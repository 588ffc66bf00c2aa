"""What `causeway up` was asked for, and which of it the contracts have fixed already."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bridge.deployment import DeploymentError, Terms
from offchain_book.config import UsageTier

DEFAULT_SETTLE_DEADLINE_S = 60
DEFAULT_EXIT_DELAY_S = 120


@dataclass(frozen=True, slots=True)
class Options:
    """What `causeway up` was asked for. None means: as the data folder has it, or the default."""

    root: Path
    data_dir: Path
    port: int = 8_000
    fix_port: int = 8_228
    fix_tls_cert: Path | None = None
    fix_tls_key: Path | None = None
    chain_port: int = 8_545
    chain_url: str = ""
    second_node: str = ""
    fresh: bool = False
    demo: bool = True
    seed: int = 0
    confirmations: int = 2
    batch_ms: int = 500
    max_fee_gwei: int = 500
    settle_deadline_s: int | None = None
    exit_delay_s: int | None = None
    rate_limits: UsageTier | None = None

    def terms(self, book: Mapping[str, Any] | None) -> Terms:
        """Return what the contracts fix for good: a flag may choose it once, and cannot change it later.

        `book` is the folder's deployment, if there is one. Raises DeploymentError.
        """
        if book is None:
            chosen = Terms(
                DEFAULT_SETTLE_DEADLINE_S if self.settle_deadline_s is None else self.settle_deadline_s,
                DEFAULT_EXIT_DELAY_S if self.exit_delay_s is None else self.exit_delay_s,
            )
            chosen.check()
            return chosen
        for flag, asked, found in (
            ("--settle-deadline", self.settle_deadline_s, book["settle_deadline_s"]),
            ("--exit-delay", self.exit_delay_s, book["exit_delay_s"]),
        ):
            if asked is not None and asked != found:
                raise DeploymentError(f"{flag} is fixed at {found} by this folder's contracts: leave it out, or use --fresh")
        return Terms(book["settle_deadline_s"], book["exit_delay_s"])
