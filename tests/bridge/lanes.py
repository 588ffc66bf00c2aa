"""Money for the tests of the settlement lane, and what became of it."""

from pathlib import Path

from tests.bridge.harness import DOLLAR, Exchange, World

RECEIVER = "0x" + "77" * 20


async def fund(world: World, venue: Exchange, dollars: int = 500) -> None:
    """Give alice money, in the pool and in the ledger alike."""
    world.deposit_for("alice", dollars)
    await venue.open_account("alice", dollars)


def received(world: World) -> int:
    """Return what the receiver of all withdrawals has got, in dollars."""
    return int(world.chain.read("balanceOf", [RECEIVER], to=world.collateral, abi=world.collateral_abi)) // DOLLAR


def mined_batches(world: World) -> int:
    """Return how many operations the contract has executed."""
    return world.chain.next_operation()


def lose_attempts(folder: Path) -> None:
    """Delete the attempts file."""
    for path in folder.glob("attempts*"):
        path.unlink()
