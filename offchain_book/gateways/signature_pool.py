"""Signatures are recovered in a thread, many at once: the curve's arithmetic runs without the interpreter's lock.

Whatever arrives while the thread works is its next batch, as with the journal's groups. A request waits for its batch; the
event loop serves others meanwhile. `scripts/bench_wallet_orders.py` measures what that is worth.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from offchain_book.signatures import InvalidSignature, recover
from offchain_book.worker import Worker

Asked = tuple[bytes, str]
"""(digest, signature)."""
Found = str | InvalidSignature


def recover_all(asked: Sequence[Asked]) -> list[Found]:
    """Recover the signers' checksummed addresses; a signature that has none gives its error."""
    return [_recovered(digest, signature) for digest, signature in asked]


def _recovered(digest: bytes, signature: str) -> Found:
    try:
        return recover(digest, signature)
    except InvalidSignature as error:
        return error


A = TypeVar("A")
F = TypeVar("F")


class Batches(Generic[A, F]):
    """One thread that answers what waits for it, batch after batch. Use it from one event loop."""

    def __init__(self, work: Callable[[Sequence[A]], Sequence[F | Exception]], name: str) -> None:
        self._answer = work
        self._name = name
        self._waiting: list[tuple[A, asyncio.Future[F]]] = []
        self._worker = Worker(name)
        self._task: asyncio.Task[None] | None = None

    def ask(self, asked: A) -> asyncio.Future[F]:
        """Put a question in line; the future is its answer. What is asked in one turn of the loop is answered together."""
        future: asyncio.Future[F] = asyncio.get_running_loop().create_future()
        self._waiting.append((asked, future))
        if self._task is None:
            self._task = asyncio.create_task(self._work(), name=self._name)
        return future

    async def _work(self) -> None:
        """Work off what waits, until nothing does."""
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                found: Sequence[F | Exception]
                try:
                    found = await self._worker.do(self._answer, [asked for asked, _ in batch])
                except Exception as error:
                    found = [error] * len(batch)  # nobody waits for an answer that cannot come
                for (_, future), one in zip(batch, found, strict=True):
                    _tell(future, one)
        finally:
            self._task = None


def _tell(future: asyncio.Future[F], answer: F | Exception) -> None:
    if future.done():
        return
    if isinstance(answer, Exception):
        future.set_exception(answer)
    else:
        future.set_result(answer)


class SignaturePool:
    """Recovers wallets' signatures off the loop."""

    def __init__(self) -> None:
        self._batches: Batches[Asked, str] = Batches(lambda asked: recover_all(asked), "signatures")

    def ask(self, digest: bytes, signature: str) -> asyncio.Future[str]:
        """Put a signature in line; the future says who signed the digest, or raises InvalidSignature."""
        return self._batches.ask((digest, signature))

    async def recover(self, digest: bytes, signature: str) -> str:
        """Return who signed a digest. Raises InvalidSignature."""
        return await self.ask(digest, signature)
