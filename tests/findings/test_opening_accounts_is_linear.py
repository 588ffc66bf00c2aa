"""Found by reading: after each new account all others were looked at again, so a journal of many accounts replayed in square time."""

import pytest

from offchain_book.engine import commands as c
from offchain_book.engine import plain
from offchain_book.engine.account import Account
from offchain_book.engine.state import State
from tests.builders import Venue


def test_a_new_account_is_looked_at_and_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    looked_at: list[str] = []
    found = plain.is_plain

    def is_plain(state: State, account: Account) -> bool:
        looked_at.append(account.account_id)
        return found(state, account)

    monkeypatch.setattr(plain, "is_plain", is_plain)
    venue = Venue()
    names = [f"account-{number}" for number in range(20)]
    for name in names:
        venue.do(c.OpenAccount(name, c.Custody.CUSTODIAL, name))
    assert looked_at == names
    assert all(venue.state.accounts[name].plain for name in names)
