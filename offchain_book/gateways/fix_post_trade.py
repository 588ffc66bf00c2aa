"""Settlements over FIX: what each resolved market paid, as MarketSettlementReport (UMS)."""

from offchain_book.engine.account import Account
from offchain_book.engine.names import subaccount_id
from offchain_book.engine.units import CASH, ONE_DOLLAR_MICROS
from offchain_book.gateways.fix_codec import Fields, payload, time_text
from offchain_book.gateways.fix_message import Message
from offchain_book.gateways.fix_session import FixSession, Outgoing
from offchain_book.gateways.fix_store import Progress
from offchain_book.gateways.kalshi_units import CENT_MICROS, count_text, dollars_text
from offchain_book.gateways.kalshi_views import market_result
from offchain_book.sequencer import Sequencer
from offchain_book.views import SettlementView


class PostTrade:
    """The application of KalshiPT."""

    def __init__(self, sequencer: Sequencer, session: FixSession) -> None:
        self._sequencer = sequencer
        self._session = session
        self._account = sequencer.state.accounts[session.logon.key.account_id]

    def pull(self, limit: int) -> list[Outgoing]:
        """Return the settlements since the last one that was reported."""
        return settlement_messages(self._sequencer, self._account, self._session.progress)

    def on_message(self, message: Message) -> None:
        """Nothing is asked here."""
        self._session.refuse(message, 3, f"KalshiPT only reports; it does not take messages of type {message.kind}")

    async def ready(self) -> None:
        """Always."""


def settled_so_far(sequencer: Sequencer, account: Account) -> dict[str, int]:
    """Return how many settlements each part of an account has had."""
    by_account = sequencer.projections.settlements_by_account
    return {part: len(by_account.get(part, ())) for part in _parts(account)}


def _parts(account: Account) -> list[str]:
    return [account.account_id, *(subaccount_id(account.account_id, number) for number in account.subaccounts)]


def settlement_messages(sequencer: Sequencer, account: Account, progress: Progress) -> list[Outgoing]:
    """Return a report per market that was settled since `progress`, and move it on."""
    by_account, by_ticker = sequencer.projections.settlements_by_account, dict[str, list[SettlementView]]()
    for part in _parts(account):
        views = by_account.get(part, [])
        for view in views[progress.settled.get(part, 0) :]:
            by_ticker.setdefault(view.ticker, []).append(view)
        progress.settled[part] = len(views)
    return [Outgoing("UMS", payload(_settlement(account, ticker, views))) for ticker, views in by_ticker.items()]


def _settlement(account: Account, ticker: str, views: list[SettlementView]) -> Fields:
    yes_micros = views[0].yes_payout_micros
    fields: Fields = [
        (20105, f"settlement-{ticker}-{account.account_id}"),
        (55, ticker),
        (715, time_text(views[0].at_ms)[:8]),
        (20106, "1"),
        (20107, market_result(yes_micros)),
        (730, f"{yes_micros // CENT_MICROS}.{yes_micros % CENT_MICROS // 100:02d}"),
        (893, "Y"),
        (20108, str(len(views))),
    ]
    for view in views:
        exact = (view.yes_micros * yes_micros + view.no_micros * (ONE_DOLLAR_MICROS - yes_micros)) // ONE_DOLLAR_MICROS
        fields += [
            (20109, view.account_id),
            (20110, "24"),
            (704, count_text(view.yes_micros)),
            (705, count_text(view.no_micros)),
            (1703, "1"),
            (1704, dollars_text(view.payout_micros)),
            (1705, "PAYOUT"),
            (136, "1"),
            (137, dollars_text(exact - view.payout_micros)),
            (138, CASH),
            (139, "4"),
            (891, "0"),
        ]
    return fields
