"""For whoever runs the venue: health, readiness, metrics, status, and the admin routes behind the operator's token.

Readiness is asked of callables that the composition root passes in, because the chain's side may not be imported here.
"""

import asyncio
import hmac
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, HTTPException, Request, Response
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry, generate_latest

from offchain_book.config import Settings
from offchain_book.gateways import erc7730, typed_data
from offchain_book.gateways.metrics import Gauges, VenueMetrics
from offchain_book.sequencer import Sequencer

CHECK_TIMEOUT_S = 3
"""A check that takes longer counts as failed."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a readiness check found."""

    ok: bool
    detail: str


Check = Callable[[], Awaitable[Finding]]


async def findings(checks: Mapping[str, Check]) -> dict[str, Finding]:
    """Run every check, none longer than CHECK_TIMEOUT_S."""

    async def run(check: Check) -> Finding:
        try:
            async with asyncio.timeout(CHECK_TIMEOUT_S):
                return await check()
        except TimeoutError:
            return Finding(False, f"no answer within {CHECK_TIMEOUT_S} s")
        except Exception as error:
            return Finding(False, f"{type(error).__name__}: {error}")

    found = await asyncio.gather(*(run(check) for check in checks.values()))
    return dict(zip(checks, found, strict=True))


def router(
    sequencer: Sequencer,
    settings: Settings,
    checks: Mapping[str, Check],
    state_hash: Callable[[], str],
    gauges: Gauges,
) -> APIRouter:
    """Return the operator's routes."""
    routes = APIRouter(tags=["operator"])
    registry = CollectorRegistry(auto_describe=False)
    registry.register(VenueMetrics(sequencer, gauges))
    started_ns = time.monotonic_ns()

    @routes.get("/healthz")
    async def healthz() -> Response:
        """Whether the process works: 503 after a broken invariant stopped the exchange."""
        if sequencer.failure is not None:
            return JSONResponse({"ok": False, "detail": "the exchange has stopped; see the venue's log"}, 503)
        return JSONResponse({"ok": True, "uptime_s": (time.monotonic_ns() - started_ns) // 1_000_000_000})

    @routes.get("/readyz")
    async def readyz() -> Response:
        """Whether everything may be asked now, with each check's finding; 503 until then."""
        found = await findings(checks)
        ready = all(one.ok for one in found.values())
        body = {"ready": ready, "checks": {name: asdict(one) for name, one in found.items()}}
        return JSONResponse(body, 200 if ready else 503)

    @routes.get("/metrics")
    async def metrics() -> Response:
        """Prometheus metrics."""
        return Response(generate_latest(registry), media_type="text/plain; version=0.0.4")

    @routes.get("/venue/status")
    async def status() -> dict[str, Any]:
        """Where the exchange stands: sequence number, state hash, readiness, the chain's part."""
        state = sequencer.state
        found = await findings(checks)
        return {
            "ready": all(one.ok for one in found.values()),
            "checks": {name: asdict(one) for name, one in found.items()},
            "seq": state.seq,
            "state_hash": state_hash(),
            "venue_time_ms": sequencer.clock_ms(),
            "chain_id": settings.chain_id,
            "client_chain_id": settings.client_chain_id,
            "contracts": {"venue": settings.venue_address, "collateral": settings.collateral_address},
            "limits": _limits(settings),
            "operations": {
                "next": state.next_operation,
                "open": len(state.operations),
                "confirmed": state.confirmed_operations,
                "skipped": state.skipped_operations,
            },
            "final_block": state.final_block,
            "chain_halted": state.chain_halted,
        }

    @routes.get("/venue/eip712")
    async def eip712() -> dict[str, Any]:
        """Domains and types of everything a wallet signs."""
        return typed_data.describe(settings)

    @routes.get("/venue/erc7730.json")
    async def clear_signing() -> dict[str, Any]:
        """How a wallet shows in words what it signs (ERC-7730)."""
        return erc7730.descriptor(settings)

    routes.include_router(_admin_router(sequencer, settings))
    return routes


def _limits(settings: Settings) -> dict[str, int]:
    return {
        "confirmations": settings.confirmations,
        "settle_deadline_s": settings.settle_deadline_s,
        "exit_delay_s": settings.exit_delay_s,
    }


def operator_only(settings: Settings) -> Callable[..., None]:
    """Return the dependency that refuses whoever does not bring the operator's bearer token."""
    return _bearer_only(settings.operator_token, "operator")


def reviewer_only(settings: Settings) -> Callable[..., None]:
    """Return the dependency that refuses whoever does not bring the reviewer's bearer token."""
    return _bearer_only(settings.reviewer_token, "reviewer")


def _bearer_only(token: str, role: str) -> Callable[..., None]:
    expected = f"Bearer {token}".encode()

    def authorized(authorization: Annotated[str, Header()] = "") -> None:
        if not token or not hmac.compare_digest(authorization.encode(), expected):
            raise HTTPException(
                401,
                f"this route needs the {role}'s bearer token; `causeway status` names its file",
                {"WWW-Authenticate": "Bearer"},
            )

    return authorized


def _admin_router(sequencer: Sequencer, settings: Settings) -> APIRouter:
    """Return the list of what only the operator may call; `admin.py` has the rest."""
    admin = APIRouter(prefix="/venue/admin", tags=["admin"], dependencies=[Depends(operator_only(settings))])

    @admin.get("")
    async def index(request: Request) -> dict[str, Any]:
        """What the operator may call."""
        routes = sorted({getattr(route, "path", "") for route in request.app.routes})
        return {"seq": sequencer.state.seq, "routes": [path for path in routes if path.startswith("/venue/admin")]}

    return admin
