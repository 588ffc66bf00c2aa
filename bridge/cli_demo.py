"""`causeway demo`: makers and takers of both dialects trade one new market to its end, on the running venue.

What they do follows from the seed alone: two venues print the same lines. Every step waits for its answer; at the end the
books must balance, or the demo fails.
"""

import random
from typing import Annotated
from urllib.parse import quote

import typer

from bridge import cli_output as output
from bridge.cli_client import CommandError, Json, VenueClient, reporting
from bridge.cli_crowd import PEOPLE, Company, Crowd, Tell
from bridge.cli_market import until_resolved
from bridge.cli_options import DEFAULT_DATA_DIR, DataDirOption, OutputOption
from offchain_book.engine.operations import VaultActionKind
from offchain_book.engine.units import CASH

CLOSE = "2035-01-01T00:00:00Z"
MAX_RUNS = 10_000
RESOLVE_TIMEOUT_S = 60


def demo(
    seed: Annotated[int, typer.Option(min=0, help="Decides who does what, and the outcome.")] = 1,
    rounds: Annotated[int, typer.Option(min=1, max=1_000, help="How often makers quote and takers come.")] = 4,
    live: Annotated[
        bool, typer.Option("--live", help="Instead, keep every open market quoted and traded until Ctrl-C.")
    ] = False,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Let makers and takers of both dialects trade a new market; resolve it; redeem; report. A line per event.

    Exit codes: 0 everything settled and the books balance; 1 something was refused or does not balance; 3 not running.
    """
    with reporting(form):
        venue = VenueClient(data_dir)
        missing = [name for name in PEOPLE if name not in venue.status["accounts"]["custodial"] and not _has(venue, name)]
        if missing:
            raise CommandError(f"this venue has no {', '.join(missing)}: start it without --no-demo")
        output.stop_working()
        told: list[str] = []

        def tell(kind: str, text: str) -> None:
            told.append(f"{kind:<9}{text}")
            if form is output.Format.TABLE:
                print(told[-1], flush=True)

        if live:
            Company(venue, seed, tell).stay()
            return
        report = Demo(venue, seed, tell).run(rounds)
        output.show(report if form is output.Format.TABLE else {**report, "told": told}, form)


def _has(venue: VenueClient, name: str) -> bool:
    return name in venue.status["accounts"]["wallets"]


class Demo:
    """One market from its opening to the last redemption."""

    def __init__(self, venue: VenueClient, seed: int, tell: Tell) -> None:
        self._venue = venue
        self._random = random.Random(seed)
        self._tell = tell
        self._seed = seed
        self._crowd = Crowd(venue, self._random, tell)

    def run(self, rounds: int) -> Json:
        """Trade, settle, resolve, redeem. Returns who won what, in millionths of a dollar. Raises CommandError."""
        before = self._cash()
        market = self._open_market()
        middle = 50
        for _ in range(rounds):
            middle = min(80, max(20, middle + self._random.randint(-6, 6)))
            self._crowd.quote(market, middle)
            self._crowd.take(market, middle)
        outcome = self._random.choice(("yes", "no"))
        ticker = market["ticker"]
        self._venue.admin("POST", f"/markets/{quote(ticker)}/resolve", {"outcome": outcome})
        until_resolved(self._venue, ticker, RESOLVE_TIMEOUT_S)
        self._tell("resolved", f"{ticker} is {outcome}, on chain after every fill; custodial accounts are paid")
        self._redeem(market, outcome)
        return self._report(ticker, outcome, before)

    def _open_market(self) -> Json:
        """List a market that nobody has traded: the first free number after the seed."""
        for run in range(1, MAX_RUNS):
            event = f"KXTIDE-{self._seed}-{run}"
            market = {
                "ticker": f"{event}-HIGH",
                "title": "Will the tide cover the causeway?",
                "rules": "If the keeper reports water on the road, the market resolves to Yes.",
                "close": CLOSE,
            }
            file = {
                "series": {"ticker": "KXTIDE", "title": "Tides on the causeway"},
                "event": {"ticker": event, "title": "How high will the tide be?"},
                "markets": [market],
            }
            try:
                self._venue.admin("GET", f"/markets/{market['ticker']}")
            except CommandError as error:
                if error.name != "UNKNOWN_MARKET":
                    raise
                found: Json = self._venue.admin("POST", "/markets", file)["markets"][0]
                self._tell("market", f"{found['ticker']}: {found['title']}")
                return found
        raise CommandError(f"{MAX_RUNS} demos with seed {self._seed} were enough: choose another --seed")

    def _settle(self) -> None:
        found = self._venue.admin("POST", "/flush")
        self._tell("settled", f"{found['settled']} operations are final on chain")

    def _redeem(self, market: Json, outcome: str) -> None:
        """Both wallets cash their winning tokens in, by a signed action that the operator pays the gas of."""
        for name in ("dave", "erin"):
            wallet = self._venue.wallet(name)
            balances = self._venue.admin("GET", f"/accounts/{wallet.address}")["balances"]
            held = int(balances.get(f"{market['ticker']}:{outcome.upper()}", {}).get("available", 0))
            if held:
                self._venue.act(wallet, VaultActionKind.REDEEM, market["token_ids"][outcome], held)
                self._tell("redeem", f"{name:<6}{held // 1_000_000} {outcome.upper()} for {held // 1_000_000}.00 dollars")
        self._settle()

    def _cash(self) -> dict[str, int]:
        """Return what each of the four has in cash."""
        ids = {name: quote(self._venue.account_id(name)) for name in PEOPLE}
        rows = {name: self._venue.admin("GET", f"/accounts/{account}")["balances"] for name, account in ids.items()}
        return {name: int(balances.get(CASH, {}).get("total", 0)) for name, balances in rows.items()}

    def _report(self, ticker: str, outcome: str, before: dict[str, int]) -> Json:
        won = {name: cash - before[name] for name, cash in self._cash().items()}
        if sum(won.values()):
            raise CommandError(
                f"the four won {sum(won.values())} millionths of a dollar together, not 0: somebody else traded {ticker} or "
                "moved money of theirs meanwhile; if not, keep the journal and report it"
            )
        return {
            "market": ticker,
            "outcome": outcome,
            "seed": self._seed,
            "contracts_filled": self._crowd.filled,
            "won_micros": won,
        }
