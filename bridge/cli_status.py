"""`causeway status`: what the data folder says about the venue, and what the running venue says about itself."""

import fcntl
import json
import os
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any

TIMEOUT_S = 15
"""How long a venue that runs may take to answer; a busy one is not taken for one that does not run."""
FROM_THE_VENUE = ("seq", "state_hash", "ready", "checks")


def read(data_dir: Path) -> dict[str, Any]:
    """Return the status object; `ready` is false, and the venue's own fields are missing, when it does not run."""
    try:
        found: dict[str, Any] = json.loads((data_dir / "status.json").read_text())
    except (OSError, ValueError):
        found = {"data_dir": str(data_dir.resolve())}
    live = _ask(str(found["http"])) if "http" in found and _is_running(data_dir) else {}
    found["ready"] = False
    return {**found, **{name: live[name] for name in FROM_THE_VENUE if name in live}}


def for_people(found: Mapping[str, Any]) -> dict[str, Any]:
    """Return the status without what only scripts read: ids of 70 digits, and where everybody's keys lie."""
    told = {name: found[name] for name in ("ready", "seq", "state_hash") if name in found}
    told |= {name: value for name, value in found.items() if name not in told and name not in ("accounts", "markets")}
    if "accounts" in found:
        accounts = found["accounts"]
        told["custodial"] = accounts["custodial"]
        told["wallets"] = {name: {"address": wallet["address"]} for name, wallet in accounts["wallets"].items()}
    events: dict[str, list[str]] = {}
    for ticker, market in found.get("markets", {}).items():
        events.setdefault(market["event_ticker"], []).append(ticker)
    if events:
        told["markets"] = [{"event": event, "tickers": tickers} for event, tickers in events.items()]
    return told


def _is_running(data_dir: Path) -> bool:
    """Whether a process holds the folder: another folder's venue may answer on the same port."""
    try:
        fd = os.open(data_dir / "lock", os.O_RDWR)
    except OSError:
        return False
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)  # for a moment: `DataDir.lock` knows
    except BlockingIOError:
        return True
    else:
        return False
    finally:
        os.close(fd)


def _ask(http_url: str) -> dict[str, Any]:
    try:
        with urllib.request.urlopen(f"{http_url}/venue/status", timeout=TIMEOUT_S) as response:
            answer = json.loads(response.read())
    except (OSError, ValueError, urllib.error.URLError):
        return {}
    return answer if isinstance(answer, dict) else {}
