"""Order groups in Kalshi's dialect: a limit on what a set of orders may match in any 15 seconds."""

import uuid

import msgspec

from offchain_book.engine import commands as c
from offchain_book.engine.account import Account, OrderGroup
from offchain_book.engine.groups import MAX_LIMIT_MICROS, GroupCommand
from offchain_book.engine.units import ONE_CONTRACT_MICROS
from offchain_book.gateways.kalshi_bodies import OptionalName, check_exchange, count_micros
from offchain_book.gateways.kalshi_call import Call, Json, decode, rendered
from offchain_book.gateways.kalshi_errors import invalid, missing, refused
from offchain_book.gateways.kalshi_units import count_text
from offchain_book.sequencer import Sequencer


class Limit(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """UpdateOrderGroupLimitRequest: the limit in one of two ways, or the same in both."""

    contracts_limit: int | None = None
    contracts_limit_fp: str | None = None


class CreateGroup(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """CreateOrderGroupRequest. SDK 2.1.4 knows groups with a name and without a limit: they get the largest."""

    subaccount: int | None = None
    contracts_limit: int | None = None
    contracts_limit_fp: str | None = None
    name: OptionalName | None = None

    def limit(self) -> Limit:
        """Return the limit that was asked for."""
        if self.name is not None and self.contracts_limit is None and self.contracts_limit_fp is None:
            return Limit(MAX_LIMIT_MICROS // ONE_CONTRACT_MICROS)
        return Limit(self.contracts_limit, self.contracts_limit_fp)

    exchange_index: int | None = None


class Empty(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The body of a request that has nothing to say; it may be absent."""


_limit_decoder = msgspec.json.Decoder(Limit)
_create_decoder = msgspec.json.Decoder(CreateGroup)
_empty_decoder = msgspec.json.Decoder(Empty)
_MAX_WHOLE = 10**12
"""Far above every limit; keeps numbers within what the journal stores."""


def _limit_micros(body: Limit) -> int:
    """Return the limit in millionths; the engine says what it may be."""
    whole, text = body.contracts_limit, body.contracts_limit_fp
    if whole is not None and not 0 < whole <= _MAX_WHOLE:
        raise invalid(
            "contracts_limit must be a positive whole number of contracts", {"field": "contracts_limit", "value": str(whole)}
        )
    sizes = {whole * ONE_CONTRACT_MICROS} if whole is not None else set()
    if text is not None:
        sizes.add(count_micros(text, "contracts_limit_fp"))
    if not sizes:
        raise invalid("give contracts_limit or contracts_limit_fp", {"field": "contracts_limit_fp"})
    if len(sizes) > 1:
        raise invalid(
            "contracts_limit and contracts_limit_fp differ",
            {"contracts_limit": str(whole), "contracts_limit_fp": str(text)},
        )
    return sizes.pop()


def _group_view(group: OrderGroup) -> Json:
    """Return what both shapes of a group share. `is_triggered` is ours: such a group takes no orders until it is reset."""
    return {
        "is_auto_cancel_enabled": True,
        "contracts_limit_fp": count_text(group.limit_micros),
        "exchange_index": 0,
        "is_triggered": group.triggered,
    }


class Groups:
    """Handlers of the order-group routes."""

    def __init__(self, sequencer: Sequencer) -> None:
        self._sequencer = sequencer

    async def create(self, call: Call) -> Json:
        """Create a group."""
        body = decode(_create_decoder, await call.body())
        check_exchange(body.exchange_index)
        part = call.part(body.subaccount)
        command = c.CreateOrderGroup(part.account_id, str(uuid.uuid4()), _limit_micros(body.limit()))
        receipt = await self._sequencer.submit(command, call.request_id)
        if receipt.rejected is not None:
            raise refused(receipt.rejected)
        return {"order_group_id": command.group_id, "subaccount": part.number, "exchange_index": 0}

    async def groups(self, call: Call) -> Json:
        """List the groups, oldest first within each subaccount."""
        found = [(part, group) for part in call.asked_parts() for group in part.groups.values()]
        return {"order_groups": await rendered(found, _listed)}

    async def group(self, call: Call) -> Json:
        """Return one group with its open orders."""
        group_id = call.path("order_group_id")
        for part in call.asked_parts():
            group = part.groups.get(group_id)
            if group is not None:
                return {**_group_view(group), "orders": list(group.orders)}
        raise missing("order group", group_id, "order_group_not_found")

    async def reset(self, call: Call) -> Json:
        """Start a group's count again; it takes orders from now on."""
        await _check_empty(call)
        return await self._change(call, c.ResetOrderGroup(call.asked_part().account_id, call.path("order_group_id")))

    async def reset_by_post(self, call: Call) -> None:
        """Reset a group as SDK 2.1.4 asks for it."""
        await self.reset(call)

    async def trigger(self, call: Call) -> Json:
        """Cancel a group's orders; it takes none until it is reset."""
        await _check_empty(call)
        return await self._change(call, c.TriggerOrderGroup(call.asked_part().account_id, call.path("order_group_id")))

    async def set_limit(self, call: Call) -> Json:
        """Change a group's limit, which may trigger it."""
        limit = _limit_micros(decode(_limit_decoder, await call.body()))
        account_id, group_id = call.asked_part().account_id, call.path("order_group_id")
        return await self._change(call, c.SetOrderGroupLimit(account_id, group_id, limit))

    async def delete(self, call: Call) -> Json:
        """Cancel a group's orders and forget it."""
        return await self._change(call, c.DeleteOrderGroup(call.asked_part().account_id, call.path("order_group_id")))

    async def _change(self, call: Call, command: GroupCommand) -> Json:
        receipt = await self._sequencer.submit(command, call.request_id)
        if receipt.rejected is not None:
            raise refused(receipt.rejected)
        return {}


def _listed(row: tuple[Account, OrderGroup]) -> Json:
    part, group = row
    return {"id": group.group_id, "subaccount": part.number, **_group_view(group)}


async def _check_empty(call: Call) -> None:
    data = await call.body()
    if data.strip():
        decode(_empty_decoder, data)
