"""The venue of the system tests: the one that the pytest plugin gives to everybody (`bridge/pytest_plugin.py`)."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from bridge.cli_options import ROOT
from bridge.pytest_plugin import CausewayVenue
from bridge.venue_process import CAUSEWAY, READY_TIMEOUT_S, STOP_TIMEOUT_S, VenueProcess, causeway, free_port, processes_of
from tests.system.clients import Client, kalshi, polymarket

__all__ = [
    "CAUSEWAY",
    "READY_TIMEOUT_S",
    "ROOT",
    "STOP_TIMEOUT_S",
    "VenueProcess",
    "causeway",
    "free_port",
    "own_venue",
    "processes_of",
    "running",
    "venue",
]


@pytest.fixture(scope="session")
def running(causeway_venue: CausewayVenue) -> VenueProcess:
    """The shared venue as a process; no test may stop it."""
    return causeway_venue.process


@pytest.fixture(scope="session")
def venue(causeway_venue: CausewayVenue) -> dict[str, Any]:
    """What `causeway status -o json` said of the shared venue when it was ready."""
    return dict(causeway_venue.status)


@pytest.fixture
def own_venue(tmp_path: Path) -> Iterator[VenueProcess]:
    """A venue of the test's own, not started yet."""
    own = VenueProcess(tmp_path / "venue")
    try:
        yield own
    finally:
        own.clean_up()


@pytest.fixture(scope="module")
def alice(venue: dict[str, Any]) -> Iterator[Client]:
    """Kalshi's SDK with alice's key."""
    with kalshi(venue, "alice") as client:
        yield client


@pytest.fixture(scope="module")
def bob(venue: dict[str, Any]) -> Iterator[Client]:
    """Kalshi's SDK with bob's key."""
    with kalshi(venue, "bob") as client:
        yield client


@pytest.fixture(scope="module")
def dave(venue: dict[str, Any]) -> Iterator[Client]:
    """Polymarket's client with dave's key."""
    with polymarket(venue, "dave") as client:
        yield client


@pytest.fixture(scope="module")
def erin(venue: dict[str, Any]) -> Iterator[Client]:
    """Polymarket's client with erin's key."""
    with polymarket(venue, "erin") as client:
        yield client
