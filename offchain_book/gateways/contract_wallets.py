"""Wallets made of code (ERC-1271), as the gateways see them: the chain says whether such a wallet signed something.

A contract may change its mind, so its yes counts once it is recorded on chain in a final block (`approveOrderFor`, paid by the
operator): only then does an order reach the exchange.
"""

from typing import Protocol


class ContractWallets(Protocol):
    """What gateways ask of the chain's side. Both may raise HookRefused."""

    async def is_signed(self, wallet: str, digest: bytes, signature: str) -> bool:
        """Whether there is code at an address that takes this signature now."""

    async def approve_order(self, wallet: str, digest: bytes, signature: str) -> bool:
        """Ask a contract wallet and record its yes for good; False when it says no, or is no contract."""
