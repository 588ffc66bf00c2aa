"""Subaccounts in Kalshi's dialect: open one, move cash between them, see what each has, switch its netting.

Kalshi's netting switch gates collateral return across the markets of an event (ADR 0016). YES and NO of one market always net.
"""

from typing import Annotated
from uuid import UUID

import msgspec

from offchain_book.engine import commands as c
from offchain_book.engine.account import Account
from offchain_book.engine.events import SubaccountOpened
from offchain_book.engine.rejects import RejectCode
from offchain_book.gateways.kalshi_bodies import check_exchange
from offchain_book.gateways.kalshi_call import Call, Json, decode, newest_first, next_cursor
from offchain_book.gateways.kalshi_errors import invalid, refused
from offchain_book.gateways.kalshi_units import CENT_MICROS, cents_rounded_down, dollars_text
from offchain_book.sequencer import Sequencer
from offchain_book.views import TransferView

_MAX_CENTS = 10**14
"""Far above every balance; keeps numbers within what the journal stores."""


class Open(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """CreateSubaccountRequest; it may be absent."""

    exchange_index: int | None = None


class Transfer(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """ApplySubaccountTransferRequest."""

    client_transfer_id: UUID
    from_subaccount: int
    to_subaccount: int
    amount_cents: Annotated[int, msgspec.Meta(ge=-_MAX_CENTS, le=_MAX_CENTS)]
    exchange_index: int | None = None


class Netting(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """UpdateSubaccountNettingRequest."""

    subaccount_number: int
    enabled: bool


_netting_decoder = msgspec.json.Decoder(Netting)
_open_decoder = msgspec.json.Decoder(Open)
_transfer_decoder = msgspec.json.Decoder(Transfer)


class Subaccounts:
    """Handlers of the subaccount routes."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._sequencer = sequencer

    async def create(self, call: Call) -> Json:
        """Open the next subaccount."""
        data = await call.body()
        if data.strip():
            check_exchange(decode(_open_decoder, data).exchange_index)
        receipt = await self._sequencer.submit(c.OpenSubaccount(call.primary().account_id), call.request_id)
        opened = receipt.first(SubaccountOpened)
        if receipt.rejected is not None:
            raise refused(receipt.rejected)
        assert opened is not None, "an opening is reported or refused"
        return {"subaccount_number": opened.number}

    async def transfer(self, call: Call) -> Json:
        """Move cash between two parts of the account; the same transfer sent again takes effect once."""
        body = decode(_transfer_decoder, await call.body())
        check_exchange(body.exchange_index)
        account = call.primary()
        if body.from_subaccount == body.to_subaccount:
            raise invalid("a transfer needs two different subaccounts", {"to_subaccount": body.to_subaccount})
        command = c.TransferCash(
            account.account_id,
            str(body.client_transfer_id),
            call.part(body.from_subaccount).number,
            call.part(body.to_subaccount).number,
            body.amount_cents * CENT_MICROS,
        )
        receipt = await self._sequencer.submit(command, call.request_id)
        rejected = receipt.rejected
        if rejected is not None and not (rejected.code is RejectCode.DUPLICATE_REQUEST and self._is_done(command)):
            raise refused(rejected)
        return {}

    def _is_done(self, command: c.TransferCash) -> bool:
        """Whether this very transfer has taken effect before, so that repeating it is no mistake."""
        wanted = (command.transfer_id, command.from_subaccount, command.to_subaccount, command.amount_micros)
        return any(
            wanted == (row.transfer_id, row.from_subaccount, row.to_subaccount, row.amount_micros)
            for row in reversed(self._transfers(command.account_id))
        )

    def _transfers(self, account_id: str) -> list[TransferView]:
        return self._sequencer.projections.transfers_by_account.get(account_id, [])

    async def transfers(self, call: Call) -> Json:
        """List the transfers between subaccounts, newest first."""
        rows = self._transfers(call.primary().account_id)
        found, position = newest_first(rows, lambda row: True, call.limit(), call.cursor("transfers"))
        return {"transfers": [_transfer_view(row) for row in found], "cursor": next_cursor("transfers", position)}

    async def balances(self, call: Call) -> Json:
        """Return the available cash of the account and of each subaccount."""
        return {"subaccount_balances": [self._balance(part) for part in call.parts()]}

    async def netting(self, call: Call) -> Json:
        """Tell for each part of the account whether collateral is returned to it."""
        return {
            "netting_configs": [
                {"subaccount_number": part.number, "enabled": part.collateral_return, "exchange_index": 0}
                for part in call.parts()
            ]
        }

    async def set_netting(self, call: Call) -> Json:
        """Switch collateral return for one part; off repays what was advanced."""
        body = decode(_netting_decoder, await call.body())
        part = call.part(body.subaccount_number)
        receipt = await self._sequencer.submit(c.SetCollateralReturn(part.account_id, body.enabled), call.request_id)
        if receipt.rejected is not None:
            raise refused(receipt.rejected)
        return {}

    def _balance(self, part: Account) -> Json:
        return {
            "subaccount_number": part.number,
            "exchange_index": 0,
            "balance": dollars_text(part.cash.available),
            "updated_ts": self._sequencer.projections.account_updated_ms.get(part.account_id, 0) // 1000,
        }


def _transfer_view(row: TransferView) -> Json:
    return {
        "transfer_id": row.transfer_id,
        "from_subaccount": row.from_subaccount,
        "to_subaccount": row.to_subaccount,
        "amount_cents": cents_rounded_down(row.amount_micros),
        "created_ts": row.at_ms // 1000,
        "exchange_index": 0,
    }
