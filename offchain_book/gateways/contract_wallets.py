"""Wallets made of code (ERC-1271), as the gateways see them: the chain says whether such a wallet signed something.

A contract may change its mind, so its yes counts once it is recorded on chain in a final block (`approveOrderFor`, paid by the
operator): only then does an order or a vault action reach the exchange. What the exchange alone decides (a cancel, a link, a
session) is asked for and not recorded.
"""

from typing import Protocol


class HookRefused(Exception):
    """The chain's side cannot do this; `status` and `code` are the answer's."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status, self.code, self.message = status, code, message


class ContractWallets(Protocol):
    """What gateways ask of the chain's side. Both may raise HookRefused."""

    async def is_signed(self, wallet: str, digest: bytes, signature: str) -> bool:
        """Whether there is code at an address that takes this signature now."""

    async def approve(self, wallet: str, digest: bytes, signature: str) -> bool:
        """Ask a contract wallet and record its yes for good; False when it says no, or is no contract."""
