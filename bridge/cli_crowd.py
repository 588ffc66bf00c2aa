"""The demo's people together: makers of both dialects who quote a market, and takers who meet them.

`Crowd` is what one market sees; `Company` keeps every open market alive for somebody at the page.
"""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence

from bridge.cli_client import CommandError, Json, VenueClient
from bridge.cli_traders import CustodialTrader, WalletTrader
from bridge.stop_signal import StopSignal

PEOPLE = ("alice", "bob", "dave", "erin")
PAUSE_S = 1.0
"""Between two things that happen to the page's markets: what a person can follow."""
TAKES = 0.4
"""How likely somebody trades after new quotes."""
DRIFT_CENTS = 8
"""How far a belief wanders from where it began."""
Tell = Callable[[str, str], None]


class Crowd:
    """Two makers, two takers."""

    def __init__(self, venue: VenueClient, chance: random.Random, tell: Tell) -> None:
        self._random = chance
        self._tell = tell
        self._alice, self._bob = CustodialTrader(venue, "alice"), CustodialTrader(venue, "bob")
        self._dave, self._erin = WalletTrader(venue, "dave"), WalletTrader(venue, "erin")
        self.filled = 0
        """Contracts that orders of ours met on arrival."""

    def quote(self, market: Json, middle: int) -> None:
        """Alice quotes wide in Kalshi's words, Dave narrow in Polymarket's: he buys YES, and NO for the other side."""
        ticker, tokens = market["ticker"], market["token_ids"]
        self.leave(market)
        for side, cents in (("bid", middle - 2), ("ask", middle + 2)):
            count = self._random.randint(5, 15)
            self._say("maker", "alice", f"{side} {count} YES at {cents}¢", self._alice.place(ticker, side, count, cents))
        for side, cents in (("yes", middle - 1), ("no", 99 - middle)):
            count = self._random.randint(3, 8)
            answer = self._dave.buy(tokens[side], count, cents)
            self._say("maker", "dave", f"buy {count} {side.upper()} at {cents}¢", answer)

    def take(self, market: Json, middle: int) -> None:
        """Bob buys YES through the asks, Erin NO through the bids."""
        for name in self._random.sample(("bob", "erin"), 2):
            count = self._random.randint(4, 12)
            if name == "bob":
                answer = self._bob.place(market["ticker"], "bid", count, middle + 2)
                self._say("taker", name, f"bid {count} YES at {middle + 2}¢", answer)
            else:
                answer = self._erin.buy(market["token_ids"]["no"], count, 102 - middle)
                self._say("taker", name, f"buy {count} NO at {102 - middle}¢", answer)

    def leave(self, market: Json) -> None:
        """Take back what still rests in a market: the makers' quotes, and what a taker found too little for."""
        for custodial in (self._alice, self._bob):
            custodial.cancel(market["ticker"])
        for wallet in (self._dave, self._erin):
            wallet.cancel(market["condition_id"])

    def _say(self, role: str, name: str, what: str, answer: Json) -> None:
        dialect = "Kalshi" if name in ("alice", "bob") else "Polymarket"
        self.filled += answer["filled"]
        self._tell(role, f"{name:<6}{what:<24}{dialect:<12}{answer['filled'] or 'nothing'} filled")


class Company:
    """Keeps every open market quoted, and trades now and then, until Ctrl-C or SIGTERM."""

    def __init__(self, venue: VenueClient, seed: int, tell: Tell) -> None:
        self._venue = venue
        self._random = random.Random(seed)
        self._tell = tell
        self._ticker = ""
        self._crowd = Crowd(venue, self._random, lambda kind, text: tell(kind, f"{self._ticker:<24}{text}"))

    def stay(self) -> None:
        """Quote all markets at once, then one after another. Leaves no order behind, however it ends. Raises CommandError.

        Ctrl-C is looked at between two markets: a request that it cut off might still be taken, after everything was left.
        """
        markets = {one["ticker"]: one for one in self._venue.ask("GET", "/venue/markets")["markets"]}
        events = self._venue.ask("GET", "/trade-api/v2/events?with_nested_markets=true&limit=200")["events"]
        start = {ticker: cents for event in events for ticker, cents in self._beliefs(event) if ticker in markets}
        stop = StopSignal()
        try:
            self._keep(markets, start, stop)
        finally:
            stop.close()  # from here on Ctrl-C is for somebody who will not wait
            self._leave([markets[ticker] for ticker in start])

    def _keep(self, markets: Mapping[str, Json], start: Mapping[str, int], stop: StopSignal) -> None:
        for ticker, cents in start.items():
            if stop.wait():
                return
            self._meet(markets[ticker], cents, trade=False)
        self._tell("company", f"{len(start)} markets are quoted; Ctrl-C ends it")
        believed = dict(start)
        while not stop.wait(PAUSE_S):
            ticker = self._random.choice(list(believed))
            wanders = believed[ticker] + self._random.randint(-2, 2)
            believed[ticker] = min(start[ticker] + DRIFT_CENTS, max(start[ticker] - DRIFT_CENTS, wanders, 4), 96)
            self._meet(markets[ticker], believed[ticker], trade=self._random.random() < TAKES)

    def _leave(self, markets: Sequence[Json]) -> None:
        """Leave every market, also when one refuses. Raises CommandError then."""
        refused: list[str] = []
        for market in markets:
            try:
                self._crowd.leave(market)
            except CommandError as error:
                if not error.status:
                    raise
                refused.append(f"{market['ticker']} ({error.name}: {error})")
        if refused:
            raise CommandError(f"orders of {', '.join(PEOPLE)} may be left in {', '.join(refused)}: cancel them there")

    def _meet(self, market: Json, cents: int, *, trade: bool) -> None:
        """Quote one market, and perhaps trade in it. Whoever has run out of money sits out."""
        self._ticker = market["ticker"]
        try:
            self._crowd.quote(market, cents)
            if trade:
                self._crowd.take(market, cents)
        except CommandError as error:
            if not error.status:
                raise
            self._tell("refused", f"{self._ticker:<24}{error.name}: {error}")

    def _beliefs(self, event: Json) -> Iterator[tuple[str, int]]:
        """Yield (ticker, cents) of an event's open markets: exclusive outcomes share a dollar, higher strikes are less likely."""
        tickers = [one["ticker"] for one in _by_strike(event["markets"]) if one["status"] == "active"]
        if not tickers:
            return
        if event["mutually_exclusive"]:
            weights = [self._random.randint(2, 8) for _ in tickers]
            cents: Sequence[int] = [max(4, 96 * weight // sum(weights)) for weight in weights]
        elif len(tickers) > 1 and all(one.get("floor_strike") is not None for one in event["markets"]):
            cents = [75 - 50 * place // (len(tickers) - 1) for place in range(len(tickers))]
        else:
            cents = [self._random.randint(35, 65) for _ in tickers]
        yield from zip(tickers, cents, strict=True)


def _by_strike(markets: Sequence[Json]) -> list[Json]:
    return sorted(markets, key=lambda one: (one.get("floor_strike") or 0, one["ticker"]))
