"""People who trade while the venue is killed under them: requests signed by hand, and all that was acknowledged."""

import contextlib
import itertools
import json
import os
import random
import signal
import sqlite3
import subprocess
import threading
import time
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from cryptography.hazmat.primitives import serialization

from bridge.chain import Chain
from offchain_book.engine.operations import OrderScheme
from tests.gateways.polymarket_fixtures import Wallet
from tests.sdk.kalshi_venue import Key
from tests.system.audit import Acknowledged, Status
from tests.system.conftest import CAUSEWAY, READY_TIMEOUT_S, ROOT, STOP_TIMEOUT_S, VenueProcess

TICKERS = ("KXDEMO-26-SUN", "KXDEMO-26-RAIN", "KXFEE-26-1000")
"""Where `step` leaves orders of everybody."""
CROSSED = "KXPOWER-27JUN-AVG"
"""Where nothing rests that `cross` did not place: dave would meet his own orders elsewhere."""
CENT_E4 = 100
CONTRACT = 1_000_000
ORDERS = "/trade-api/v2/portfolio/events/orders"
ASYNC_UNUSED: Any = None


class Refused(Exception):
    """The venue answered, and said no."""


@dataclass
class Traders:
    """Alice and bob (custodial), dave and erin (wallets), on one venue that may die at any moment.

    Every request carries an id of its own; `acknowledged` has those that the venue said yes to.
    """

    status: Status
    seed: int = 0
    acknowledged: list[Acknowledged] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)
        self.numbers = itertools.count()
        self.http = httpx.Client(base_url=self.status["http"], timeout=60)
        self.keys = {name: _key(account) for name, account in self.status["accounts"]["custodial"].items()}
        self.wallets = {
            name: Wallet(ASYNC_UNUSED, bytes.fromhex(wallet["private_key"][2:]), salts=self.random.getrandbits(40) << 10)
            for name, wallet in self.status["accounts"]["wallets"].items()
        }

    def close(self) -> None:
        """Close the connections."""
        self.http.close()

    def log_in(self) -> None:
        """Make the wallets' API credentials; the venue derives the same ones for ever."""
        for wallet in self.wallets.values():
            answer = self.http.get("/auth/derive-api-key", headers=wallet.proof())
            if answer.status_code != 200:
                answer = self.http.post("/auth/api-key", headers=wallet.proof())
            wallet.creds = answer.raise_for_status().json()

    # --- requests ----------------------------------------------------------------------------------------------------

    def _request(self, method: str, path: str, headers: dict[str, str], body: str = "") -> tuple[str, Any]:
        request_id = f"crash-{self.seed}-{next(self.numbers)}"
        answer = self.http.request(method, path, content=body, headers=headers | {"X-Request-Id": request_id})
        if answer.status_code >= 300:
            raise Refused(f"{method} {path}: {answer.status_code} {answer.text}")
        return request_id, answer.json()

    def custodial(self, name: str, ticker: str, side: str, price_e4: int, contracts: int, **more: str) -> Any:
        """Place an order in Kalshi's dialect; returns the answer."""
        body = {
            "ticker": ticker,
            "side": side,
            "price": f"0.{price_e4:04}",
            "count": f"{contracts}.00",
            "time_in_force": "good_till_canceled",
            "self_trade_prevention_type": "taker_at_cross",
            **more,
        }
        request_id, answer = self._request("POST", ORDERS, self.keys[name].headers("POST", ORDERS), json.dumps(body))
        filled = round(float(answer["fill_count"]) * CONTRACT)
        self.acknowledged.append(Acknowledged(request_id, answer["order_id"], filled))
        return answer

    def wallet(
        self, name: str, ticker: str, outcome: str, side: str, price_e4: int, contracts: int, kind: str = "GTC"
    ) -> Any:
        """Place an order in Polymarket's dialect; returns the answer."""
        token = self.status["markets"][ticker]["token_ids"][outcome]
        cash, tokens = contracts * price_e4 * 100, contracts * CONTRACT
        gives, gets = (cash, tokens) if side == "BUY" else (tokens, cash)
        wallet = self.wallets[name]
        payload = wallet.payload(side, token, gives, gets, kind, OrderScheme.POLYMARKET_V2)
        body = json.dumps(payload, separators=(",", ":"))
        request_id, answer = self._request("POST", "/order", wallet.headers("POST", "/order", body), body)
        if not answer["success"]:
            raise Refused(str(answer))
        filled = int(float(answer["takingAmount" if side == "BUY" else "makingAmount"] or 0) * CONTRACT)
        self.acknowledged.append(Acknowledged(request_id, answer["orderID"], filled))
        return answer

    def wallet_trades(self, name: str) -> list[Any]:
        """Return a wallet's trades in Polymarket's dialect."""
        headers = self.wallets[name].headers("GET", "/data/trades")
        return list(self.http.get("/data/trades", headers=headers).raise_for_status().json()["data"])

    def fills(self, name: str) -> list[Any]:
        """Return a custodial account's fills in Kalshi's dialect."""
        path = "/trade-api/v2/portfolio/fills"
        headers = self.keys[name].headers("GET", path)
        return list(self.http.get(path, headers=headers, params={"limit": "200"}).raise_for_status().json()["fills"])

    # --- load --------------------------------------------------------------------------------------------------------

    def cross(self, ticker: str = CROSSED, contracts: int = 2) -> None:
        """Match alice with dave once: one operation."""
        self.custodial("alice", ticker, "ask", 5_000, contracts)
        self.wallet("dave", ticker, "yes", "BUY", 5_000, contracts)

    def step(self) -> None:
        """Do one random thing."""
        pick = self.random
        ticker, price, count = pick.choice(TICKERS), pick.randint(30, 70) * CENT_E4, pick.randint(1, 5)
        if pick.random() < 0.5:
            self.custodial(pick.choice(("alice", "bob")), ticker, pick.choice(("bid", "ask")), price, count)
        else:
            outcome, side = pick.choice(("yes", "no")), pick.choice(("BUY", "BUY", "SELL"))
            self.wallet(pick.choice(("dave", "erin")), ticker, outcome, side, price, count)

    def trade_until_dead(self, stop: threading.Event) -> None:
        """Do random things until the venue does not answer any more."""
        while not stop.is_set():
            try:
                self.step()
            except Refused as error:
                self.refused.append(str(error))
            except httpx.TransportError:
                return


def _key(account: dict[str, str]) -> Key:
    private: Any = serialization.load_pem_private_key(Path(account["private_key_path"]).read_bytes(), None)
    return Key(account["key_id"], private)


def is_ready(status: Status) -> bool:
    """Whether `/readyz` says so."""
    try:
        with urllib.request.urlopen(f"{status['http']}/readyz", timeout=30) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def deposit(status: Status, wallet: str, amount_micros: int) -> None:
    """Deposit from a wallet's free dollars into its vault, past the venue."""
    abi = json.loads((Path(status["abi_dir"]) / "Venue.json").read_text())
    dollars = json.loads((Path(status["abi_dir"]) / "TestUSD.json").read_text())
    chain = Chain(status["rpc"], int(status["chain_id"]), abi, status["contracts"]["venue"])
    key = status["accounts"]["wallets"][wallet]["private_key"]
    try:
        calls = [
            (status["contracts"]["collateral"], chain.encode("approve", [chain.address, amount_micros], dollars), 0),
            (chain.address, chain.encode("deposit", [amount_micros]), 0),
        ]
        chain.transact_all(key, calls, 300_000)
    finally:
        chain.close()


@dataclass
class CrashableVenue(VenueProcess):
    """A venue on a folder of its own that dies where it is told to."""

    flags: tuple[str, ...] = ("--batch-ms", "50", "--confirmations", "1")
    started: Status = field(default_factory=dict)

    @property
    def crash_file(self) -> Path:
        """What CAUSEWAY_CRASH_FILE names."""
        return self.data_dir.parent / f"{self.data_dir.name}.crash"

    def begin(self) -> None:
        """Run `up` and return at once."""
        environment = os.environ | {"CAUSEWAY_CRASH_FILE": str(self.crash_file)}
        with (self.data_dir.parent / f"{self.data_dir.name}.out").open("wb") as out:
            self.process = subprocess.Popen(
                [str(CAUSEWAY), *self.arguments(*self.flags)],
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=ROOT,
                env=environment,
            )

    def up(self) -> Status:
        """Run `up` until it is ready, unless it runs already. Returns `causeway status`."""
        if self.process is None or self.process.poll() is not None:
            self.begin()
        assert self.process is not None
        deadline = time.monotonic() + READY_TIMEOUT_S
        http = {"http": f"http://127.0.0.1:{self.port}"}
        while not is_ready(http):
            assert self.process.poll() is None, f"`up` ended with {self.process.returncode}: {self.output}"
            assert time.monotonic() < deadline, f"not ready: {self.output}"
            time.sleep(0.05)
        if not self.started:
            self.started = self.status()
        return self.started

    def arm(self, point: str) -> None:
        """Let the running venue die when it comes to this point."""
        fresh = self.crash_file.with_suffix(".new")
        fresh.write_text(point)
        fresh.replace(self.crash_file)

    def wait_dead(self, code: int) -> None:
        """Wait until the process has ended by itself."""
        assert self.process is not None
        assert self.process.wait(STOP_TIMEOUT_S) == code, self.output
        self.crash_file.unlink(missing_ok=True)

    def kill_chain(self) -> None:
        """Kill -9 the chain alone."""
        os.kill(self.chain_pid(), signal.SIGKILL)

    def sent_transactions(self) -> set[str]:
        """Return the hashes of all transactions that the dead venue had signed and stored."""
        with contextlib.closing(sqlite3.connect(self.data_dir / "attempts.sqlite")) as db:
            return {row[0] for row in db.execute("SELECT tx_hash FROM attempts")}
