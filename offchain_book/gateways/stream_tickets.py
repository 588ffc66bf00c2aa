"""Tickets: how a browser, which cannot set headers on a WebSocket, says who it is. Whoever has proved it gets one by HTTP."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

TICKET_S = 30
"""How long a ticket may wait to be used. It is used once."""
MAX_TICKETS = 10_000
"""Most tickets that wait; the oldest goes first."""


@dataclass(frozen=True, slots=True)
class Ticket:
    """Who may read what: an account with its subaccounts, or one subaccount; and the key that ends it, if a key asked."""

    account_id: str
    key_id: str
    until_s: float


class Tickets:
    """Tickets that were given out and not used yet. They live in memory only."""

    def __init__(self, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._waiting: dict[str, Ticket] = {}

    def issue(self, account_id: str, key_id: str = "") -> str:
        """Return a new ticket for an account whose owner has just proved himself."""
        while len(self._waiting) >= MAX_TICKETS:
            del self._waiting[next(iter(self._waiting))]
        name = secrets.token_urlsafe(24)
        self._waiting[name] = Ticket(account_id, key_id, self._now_s() + TICKET_S)
        return name

    def use(self, name: str) -> Ticket | None:
        """Return what a ticket is for, once, and None when it is too old or was never given out."""
        ticket = self._waiting.pop(name, None)
        return ticket if ticket is not None and self._now_s() <= ticket.until_s else None
