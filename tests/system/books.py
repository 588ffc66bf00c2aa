"""The venue's books held against the chain: the ledger as its journal has it, the contract as the node shows it."""

import json
import time
from pathlib import Path
from typing import Any

from eth_account import Account
from eth_account.messages import encode_typed_data

from bridge.chain import Chain, TransactionReceipt, address_of
from bridge.cli_client import CommandError, VenueClient
from bridge.replay import replay
from offchain_book.engine.names import VENUE_ACCOUNTS, token_asset
from offchain_book.engine.operations import Outcome
from offchain_book.engine.state import State
from offchain_book.engine.units import CASH, ONE_DOLLAR_MICROS
from tests.system.clients import eventually
from tests.system.conftest import VenueProcess

GAS = 400_000


class Books:
    """Ledger and chain of a running venue."""

    def __init__(self, running: VenueProcess) -> None:
        self.running = running
        self.client = VenueClient(running.data_dir)
        self.status = self.client.status
        self.venue, self.collateral = (self.status["contracts"][name] for name in ("venue", "collateral"))
        self.chain = Chain(self.status["rpc"], self.status["chain_id"], self.abi("Venue"), self.venue)

    def abi(self, name: str) -> Any:
        """Return a contract's ABI."""
        return json.loads((Path(self.status["abi_dir"]) / f"{name}.json").read_text())

    def new_market(self, event: str) -> dict[str, Any]:
        """Make a market of its own for a test, so that no other test's orders meet it."""
        market = {"ticker": f"{event}-A", "title": "A market", "rules": "If so, Yes.", "close": "2035-01-01T00:00:00Z"}
        series = {"ticker": "KXTEST", "title": "Tests"}
        file = {"series": series, "event": {"ticker": event, "title": "An event"}, "markets": [market]}
        made: dict[str, Any] = self.client.admin("POST", "/markets", file)["markets"][0]
        return made

    # --- the chain ---------------------------------------------------------------------------------------------------

    def send(self, key: str, function: str, *args: Any) -> TransactionReceipt:
        """Call the venue from a key's own transaction."""
        return self.chain.transact(key, self.venue, self.chain.encode(function, args), gas=GAS)

    def send_collateral(self, key: str, function: str, *args: Any) -> TransactionReceipt:
        """Call the collateral."""
        return self.chain.transact(key, self.collateral, self.chain.encode(function, args, self.abi("TestUSD")), gas=GAS)

    def fund(self, *keys: str, dollars: int) -> None:
        """Open accounts of new wallets with dollars in the vault; by permits, so that they send nothing and have no gas."""
        payer, amount = self.client.wallet("dave").private_key, dollars * ONE_DOLLAR_MICROS
        given = [self.chain.encode("faucet", (address_of(key), amount), self.abi("TestUSD")) for key in keys]
        self.chain.transact_all(payer, [(self.collateral, calldata, 0) for calldata in given], GAS)
        for key in keys:
            self.client.ask("POST", "/venue/deposits/permit", self._permit(key, amount), {})
        eventually(lambda: self._know({address_of(key): amount for key in keys}))

    def _know(self, cash: dict[str, int]) -> bool:
        accounts = self.state().accounts
        return all(wallet in accounts and accounts[wallet].cash.total == amount for wallet, amount in cash.items())

    def _permit(self, key: str, amount_micros: int) -> dict[str, str | int]:
        """What `POST /venue/deposits/permit` wants of a wallet."""
        wallet, deadline = address_of(key), int(time.time()) + 86_400 * 3_650
        fields = {"owner": "address", "spender": "address", "value": "uint256", "nonce": "uint256", "deadline": "uint256"}
        domain = {"name": "Causeway Test USD", "version": "1", "chainId": self.status["chain_id"]}
        message = encode_typed_data(
            {**domain, "verifyingContract": self.collateral},
            {"Permit": [{"name": name, "type": kind} for name, kind in fields.items()]},
            {"owner": wallet, "spender": self.venue, "value": amount_micros, "nonce": 0, "deadline": deadline},
        )
        signature = "0x" + Account.sign_message(message, key).signature.hex()
        amount = str(amount_micros // ONE_DOLLAR_MICROS)
        return {"wallet": wallet, "amount": amount, "deadline": deadline, "signature": signature}

    def dollars(self, address: str) -> int:
        """Return an address's free test dollars, in millionths."""
        return int(self.chain.read("balanceOf", [address], to=self.collateral, abi=self.abi("TestUSD")))

    def free(self, address: str, token: str) -> int:
        """Return an address's free tokens."""
        return int(self.chain.read("balanceOf", [address, int(token)]))

    # --- the ledger ----------------------------------------------------------------------------------------------------

    def state(self) -> State:
        """Return the state that the journal leads to."""
        return replay(self.running.data_dir / "journal.log")

    def market(self, ticker: str) -> Any:
        """Return a market as the operator sees it."""
        return self.client.admin("GET", f"/markets/{ticker}")

    def cash(self, account: str) -> int:
        """Return an account's cash, pending included."""
        return int(self.client.admin("GET", f"/accounts/{account}")["balances"].get(CASH, {}).get("total", 0))

    def tokens(self, account: str, ticker: str, outcome: Outcome) -> int:
        """Return an account's tokens, pending included."""
        balances = self.client.admin("GET", f"/accounts/{account}")["balances"]
        return int(balances.get(token_asset(ticker, outcome), {}).get("total", 0))

    def check(self) -> State:
        """Settle what is open, then hold every sum of the money model in ledger and chain against the others."""
        eventually(self._settled)
        eventually(lambda: self.state().next_deposit == self.chain.deposit_count())  # of the test before, perhaps
        state = self.state()
        assert not state.operations
        _check_ledger(state)
        self._check_pool(state)
        self._check_wallets(state)
        self._check_collateral(state)
        return state

    def _settled(self) -> bool:
        """Settle what is open; a busy machine's blocks may be so slow that the venue says to ask again."""
        try:
            self.client.admin("POST", "/flush")
        except CommandError as error:
            if error.name != "NOT_FINAL":
                raise
            return False
        return True

    def _check_pool(self, state: State) -> None:
        """What the pool holds on chain is what the engine says it holds."""
        markets = list(state.markets.values())
        calls: list[tuple[str, list[Any]]] = [("cashOf", [self.venue])]
        for market in markets:
            calls += [("vaultBalanceOf", [self.venue, int(market.token_id(outcome))]) for outcome in Outcome]
        cash, *held = self.chain.read_all(calls)
        assert cash == state.pool_cash_micros
        pairs = list(zip(held[::2], held[1::2], strict=True))
        for market, (yes, no) in zip(markets, pairs, strict=True):
            expected = (0, 0) if market.resolved_on_chain else (market.pool_yes_micros, market.pool_no_micros)
            assert (yes, no) == expected, market.ticker

    def _check_wallets(self, state: State) -> None:
        """Every wallet's vault balance is its settled balance."""
        for account in state.accounts.values():
            if not account.is_wallet:
                continue
            rows = [(asset, balance.settled) for asset, balance in account.balances.items() if asset != CASH]
            calls: list[tuple[str, list[Any]]] = [("cashOf", [account.account_id])]
            calls += [("vaultBalanceOf", [account.account_id, int(_token_of(state, asset))]) for asset, _ in rows]
            assert self.chain.read_all(calls) == [account.cash.settled, *(settled for _, settled in rows)], (
                account.account_id
            )

    def _check_collateral(self, state: State) -> None:
        """Every dollar that the contract holds belongs to a vault account or backs a condition."""
        wallets = [account.account_id for account in state.accounts.values() if account.is_wallet]
        cash = self.chain.read_all([("cashOf", [address]) for address in (self.venue, *wallets)])
        conditions = [bytes.fromhex(market.condition_id[2:]) for market in state.markets.values()]
        backing = [row[1] for row in self.chain.read_all([("conditionOf", [condition]) for condition in conditions])]
        assert self.dollars(self.venue) == sum(cash) + sum(backing)
        for market, collateral in zip(state.markets.values(), backing, strict=True):
            if not market.resolved_on_chain:
                assert collateral == market.yes_supply_micros - market.unsplit_micros, market.ticker


def _token_of(state: State, asset: str) -> str:
    ticker, _, outcome = asset.rpartition(":")
    return state.markets[ticker].token_id(Outcome[outcome])


def _check_ledger(state: State) -> None:
    """Postings sum to zero per asset; the pool identity holds with `u`."""
    sums: dict[str, int] = {}
    for account in state.accounts.values():
        for asset, balance in account.balances.items():
            sums[asset] = sums.get(asset, 0) + balance.total
            assert min(balance.total, balance.available, balance.held) >= 0, (account.account_id, asset)
            assert (balance.pending_in, balance.pending_out) == (0, 0), (account.account_id, asset)
    for balances in state.contra.values():
        for asset, amount in balances.items():
            sums[asset] = sums.get(asset, 0) + amount
    assert not any(sums.values()), sums
    assert set(VENUE_ACCOUNTS) <= set(state.accounts)
    custodial = [account for account in state.accounts.values() if not account.is_wallet]
    unsplit = sum(market.unsplit_micros for market in state.markets.values())
    assert state.pool_cash_micros == sum(account.cash.total for account in custodial) + unsplit
    for market in state.markets.values():
        claims = [sum(a.balance(token_asset(market.ticker, o)).total for a in custodial) for o in Outcome]
        assert claims == [market.custodial_yes_micros, market.custodial_no_micros], market.ticker
