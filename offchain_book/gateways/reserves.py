"""Reserves under /venue/reserves: ledger against chain for everybody, an inclusion proof for each account, all leaves for an
auditor. `causeway verify-reserves` checks what these routes give, without trusting them.
"""

from typing import Any

import msgspec
from fastapi import APIRouter, Depends, Request

from offchain_book.config import Settings
from offchain_book.engine.account import Account
from offchain_book.engine.policy_commands import Freeze, Unfreeze
from offchain_book.gateways import operator
from offchain_book.gateways.native import NativeRoutes, problem, read_body
from offchain_book.liabilities import BadProof, Proof, Statement
from offchain_book.reserves import Publication, ReserveBoard, Row
from offchain_book.sequencer import Sequencer

Json = dict[str, Any]


class ReasonBody(msgspec.Struct, forbid_unknown_fields=True):
    """`POST /venue/admin/freeze` and `/venue/admin/unfreeze`: why, for the journal and for everybody who asks."""

    reason: str


def statement_view(statement: Statement) -> Json:
    """Return the public part of a statement."""
    return {
        "seq": statement.seq,
        "root": statement.root,
        "assets": [
            {"asset": one.asset, "leaves": one.leaves, "digest": one.digest, "total_micros": str(one.total_micros)}
            for one in statement.assets
        ],
    }


def proof_view(proof: Proof) -> Json:
    """Return an account's proof, as `causeway verify-reserves` reads it."""
    return {
        "account_id": proof.account_id,
        "salt": proof.salt,
        "statement": statement_view(proof.statement),
        "inclusions": [
            {
                "asset": one.asset,
                "amount_micros": str(one.amount_micros),
                "index": one.index,
                "siblings": [{"digest": node.digest, "sum_micros": str(node.sum_micros)} for node in one.siblings],
            }
            for one in proof.inclusions
        ],
    }


def _row_view(row: Row) -> Json:
    return {
        "holder": row.holder,
        "asset": row.asset,
        "ledger_micros": row.expected_micros + row.in_flight_micros,
        "in_flight_micros": row.in_flight_micros,
        "expected_micros": row.expected_micros,
        "on_chain_micros": row.on_chain_micros,
        "difference_micros": row.difference_micros,
        "block_number": row.block_number,
    }


class ReserveRoutes:
    """The routes of one venue."""

    def __init__(self, sequencer: Sequencer, native: NativeRoutes, board: ReserveBoard) -> None:
        self._sequencer = sequencer
        self._native = native
        self._board = board

    def _published(self) -> Publication:
        if self._board.publication is None:
            raise problem(
                503, "NOT_PUBLISHED", "nothing is published yet: the first statement follows the first final block"
            )
        return self._board.publication

    async def show(self) -> Json:
        """Ledger against chain, asset by asset, and the newest statement of what is owed."""
        board, collateral, publication = self._board, self._board.collateral, self._board.publication
        return {
            "equal": not board.differences and not board.waiting and board.block_number > 0,
            "waiting": board.waiting or None,
            "frozen": self._sequencer.state.frozen or None,
            "block_number": board.block_number,
            "compared_ms": board.compared_ms,
            "rows": [_row_view(row) for row in board.rows.values()],
            "collateral": collateral
            and {
                "held_micros": collateral.held_micros,
                "claimed_micros": collateral.claimed_micros,
                "block_number": collateral.block_number,
            },
            "liabilities": publication
            and {
                **statement_view(publication.tree.statement),
                "published_ms": publication.at_ms,
                "tx_hash": publication.tx_hash,
            },
        }

    async def proof(self, request: Request) -> Json:
        """The caller's own inclusion proof in the newest statement (signed like every private native route)."""
        account: Account = await self._native.signer(request)
        publication = self._published()
        try:
            return proof_view(publication.tree.proof(account.account_id)) | {"tx_hash": publication.tx_hash}
        except BadProof:
            seq = publication.tree.statement.seq
            raise problem(
                404,
                "NOT_COUNTED_YET",
                f"the newest statement is of command {seq}, before this account: ask after the next one",
            ) from None

    async def leaves(self) -> Json:
        """Every leaf, hashes and amounts without names, for an auditor (operator's token)."""
        publication = self._published()
        leaves = {
            asset: [{"digest": node.digest, "sum_micros": str(node.sum_micros)} for node in nodes]
            for asset, nodes in publication.tree.leaves().items()
        }
        return {"statement": statement_view(publication.tree.statement), "leaves": leaves, "tx_hash": publication.tx_hash}

    async def freeze(self, request: Request) -> Json:
        """Stop trading and everything that leaves the pool."""
        body = await read_body(request, ReasonBody)
        await self._native.submit(request, Freeze(body.reason, pauses=True))
        return {"frozen": self._sequencer.state.frozen}

    async def unfreeze(self, request: Request) -> Json:
        """Take a freeze back, with the reason why that is right."""
        body = await read_body(request, ReasonBody)
        await self._native.submit(request, Unfreeze(body.reason))
        return {"frozen": None}


def router(sequencer: Sequencer, settings: Settings, native: NativeRoutes, board: ReserveBoard) -> APIRouter:
    """Return the routes about reserves."""
    found = ReserveRoutes(sequencer, native, board)
    routes = APIRouter(prefix="/venue", tags=["reserves"])
    only_operator = [Depends(operator.operator_only(settings))]
    routes.add_api_route("/reserves", found.show, methods=["GET"])
    routes.add_api_route("/reserves/proof", found.proof, methods=["GET"])
    routes.add_api_route("/reserves/leaves", found.leaves, methods=["GET"], dependencies=only_operator)
    routes.add_api_route("/admin/freeze", found.freeze, methods=["POST"], dependencies=only_operator)
    routes.add_api_route("/admin/unfreeze", found.unfreeze, methods=["POST"], dependencies=only_operator)
    return routes
