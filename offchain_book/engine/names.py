"""What the ledger calls accounts and assets."""

from functools import lru_cache

from offchain_book.engine.operations import NO, YES, Outcome

EQUITY = "venue:equity"
"""Fees, remainders and the venue's own money, in the pool."""


GUARANTEE = "venue:guarantee"
"""Takes a wallet's place when its leg of a fill does not settle."""


SUSPENSE = "venue:suspense"
"""Deposits into the pool that name no account."""


COLLATERAL = "venue:collateral"
"""Pays the advances of collateral return; what is in it is the most that they can come to."""


OUTSIDE = "chain:outside"
"""The contra account of deposits and withdrawals; its balance is minus what came in."""


VENUE_ACCOUNTS = (EQUITY, GUARANTEE, SUSPENSE)


@lru_cache(maxsize=65_536)
def token_asset(ticker: str, outcome: Outcome) -> str:
    """Return the ledger's name of an outcome token."""
    return f"{ticker}:{outcome.name}"


@lru_cache(maxsize=65_536)
def token_assets(ticker: str) -> tuple[str, str]:
    """Return the ledger's names of a market's YES and NO."""
    return token_asset(ticker, YES), token_asset(ticker, NO)


@lru_cache(maxsize=65_536)
def collateral_account(ticker: str) -> str:
    """Return the account that holds a market's collateral and has issued its tokens."""
    return f"market:{ticker}"


def owed_account(account_id: str, event_ticker: str) -> str:
    """Return the contra account of what an account owes for advances in an event."""
    return f"owed:{account_id}:{event_ticker}"


def subaccount_id(account_id: str, number: int) -> str:
    """Return the account id of a numbered part of an account; 0 is the account itself."""
    return f"{account_id}/{number}" if number else account_id
