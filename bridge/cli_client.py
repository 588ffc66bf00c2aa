"""The command as a client of the running venue: finds it, asks it, signs for custodial accounts and for wallets.

It needs nothing but the data folder and HTTP, so that a verb answers in the blink of an eye.
"""

import base64
import contextlib
import hashlib
import json
import re
import secrets
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ed25519, padding, rsa

from bridge import cli_output, cli_status
from bridge.cli_options import EXIT_FAILED, EXIT_NOT_READY, EXIT_USAGE
from offchain_book import signatures
from offchain_book.engine.operations import VaultAction, VaultActionKind

Json = dict[str, Any]
TIMEOUT_S = 90
ACTION_LIFE_S = 3_600
"""How long a signed vault action or link stays good."""
_AMOUNT = re.compile(r"\d{1,12}(\.\d{1,6})?", re.ASCII)


class CommandError(Exception):
    """A verb cannot do what it was asked; the message is one line that says what to do."""

    def __init__(self, message: str, code: int = EXIT_FAILED, name: str = "", status: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.name = name
        """The venue's own code for the error, if it came from there."""
        self.status = status
        """Its HTTP status."""


@contextlib.contextmanager
def reporting(form: cli_output.Format) -> Iterator[cli_output.Progress]:
    """Show that the venue is at work; print a failure as every verb does, and end with its exit code."""
    try:
        with cli_output.working("the venue is at work", form) as progress:
            yield progress
    except CommandError as error:
        cli_output.fail(f"{error.name}: {error}" if error.name else str(error), form, error.code)


def amount(text: str, what: str = "amount in dollars") -> str:
    """Return a decimal amount as the venue takes it."""
    if not _AMOUNT.fullmatch(text):
        raise CommandError(f"{text!r} is no {what}: write it like 12 or 12.50, at most six decimals", EXIT_USAGE)
    return text


def micros(text: str) -> int:
    """Return a decimal amount in millionths."""
    whole, _, fraction = amount(text).partition(".")
    return int(whole) * 1_000_000 + int(fraction.ljust(6, "0"))


@dataclass(frozen=True, slots=True)
class Wallet:
    """An address, and its key if we have it."""

    address: str
    private_key: str

    def sign(self, digest: bytes) -> str:
        """Return the wallet's signature."""
        if not self.private_key:
            raise CommandError(f"{self.address} is no demo wallet: pass its key with --key FILE", EXIT_USAGE)
        return signatures.sign_digest(digest, bytes.fromhex(self.private_key[2:]))


class VenueClient:
    """The running venue of a data folder."""

    def __init__(self, data_dir: Path) -> None:
        found = cli_status.read(data_dir)
        if "seq" not in found:
            raise CommandError(f"no venue runs on {data_dir}: start it with `causeway up`", EXIT_NOT_READY)
        self.status: Json = found
        self._token = Path(found["operator_token_path"]).read_text().strip()

    # --- asking ------------------------------------------------------------------------------------------------------

    def ask(self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None) -> Any:
        """Send one request and return the answer. The operator's token goes along unless there are other credentials."""
        raw = b"" if body is None else json.dumps(body).encode()
        given = headers if headers is not None else {"Authorization": f"Bearer {self._token}"}
        request = urllib.request.Request(
            self.status["http"] + path, raw or None, {"Content-Type": "application/json", **given}, method=method
        )
        try:
            with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
                return json.loads(response.read())
        except urllib.error.HTTPError as error:
            raise _refused(error) from None
        except OSError as error:
            raise CommandError(f"the venue at {self.status['http']} does not answer: {error}", EXIT_NOT_READY) from None

    def admin(self, method: str, path: str, body: Any = None) -> Any:
        """Call one of the operator's routes."""
        return self.ask(method, f"/venue/admin{path}", body)

    def review(self, path: str, body: Any) -> Any:
        """Call one of the reviewer's routes."""
        token = Path(self.status["reviewer_token_path"]).read_text().strip()
        return self.ask("POST", f"/venue/admin{path}", body, {"Authorization": f"Bearer {token}"})

    def trace(self, name: str) -> Json | None:
        """Return what hangs together with an id, None when nothing has it."""
        try:
            found: Json = self.ask("GET", f"/venue/trace/{quote(name, safe=':')}")
        except CommandError as error:
            if error.name == "UNKNOWN_ID":
                return None
            raise
        return found

    def signed(self, account: str, key_file: Path | None, path: str, body: Json) -> Any:
        """POST as a custodial account: its key signs timestamp, method, path and the body's hash."""
        return self._as_account(account, key_file, "POST", path, body)

    def signed_get(self, account: str, key_file: Path | None, path: str) -> Any:
        """GET as a custodial account."""
        return self._as_account(account, key_file, "GET", path, None)

    def kalshi(self, account: str, method: str, path: str, body: Json | None = None) -> Any:
        """Call a route of Kalshi's dialect, where the signature does not cover the body."""
        return self.ask(method, path, body, self._signature(account, None, f"{method}{path}"))

    def _as_account(self, account: str, key_file: Path | None, method: str, path: str, body: Json | None) -> Any:
        raw = b"" if body is None else json.dumps(body).encode()
        headers = self._signature(account, key_file, f"{method}{path}{hashlib.sha256(raw).hexdigest()}")
        return self.ask(method, path, body, headers)

    def _signature(self, account: str, key_file: Path | None, text: str) -> dict[str, str]:
        private = self._private_key(account, key_file)
        timestamp = str(time.time_ns() // 1_000_000)
        return {
            "KALSHI-ACCESS-KEY": self._key_id(account),
            "KALSHI-ACCESS-TIMESTAMP": timestamp,
            "KALSHI-ACCESS-SIGNATURE": base64.b64encode(_sign(private, f"{timestamp}{text}".encode())).decode(),
        }

    def _private_key(self, account: str, key_file: Path | None) -> Any:
        path = key_file or Path(self.status["data_dir"]) / "keys" / f"{account}.pem"
        try:
            return serialization.load_pem_private_key(path.read_bytes(), None)
        except OSError:
            raise CommandError(f"there is no key of {account} at {path}: pass it with --key FILE", EXIT_USAGE) from None
        except (ValueError, TypeError) as error:
            raise CommandError(f"{path} is no private key: {error}", EXIT_USAGE) from None

    def _key_id(self, account: str) -> str:
        known = self.status["accounts"]["custodial"].get(account)
        if known is not None:
            return str(known["key_id"])
        found = self.admin("GET", f"/accounts/{quote(account)}")["key_ids"]
        if not found:
            raise CommandError(f"{account} has no API key")
        return str(found[0])

    # --- people ------------------------------------------------------------------------------------------------------

    def is_wallet(self, name: str) -> bool:
        """Whether a name or address means a wallet."""
        return name in self.status["accounts"]["wallets"] or name.startswith("0x")

    def account_id(self, name: str) -> str:
        """Return the exchange's id of an account: a custodial name, or a wallet's address."""
        return self.wallet(name).address if self.is_wallet(name) else name

    def wallet(self, name: str, key_file: Path | None = None) -> Wallet:
        """Return a wallet by demo name or address."""
        wallets: dict[str, dict[str, str]] = self.status["accounts"]["wallets"]
        if name in wallets:
            return Wallet(wallets[name]["address"], wallets[name]["private_key"])
        try:
            address = signatures.parse_address(name)
        except (signatures.InvalidAddress, ValueError):
            names = ", ".join(wallets)
            raise CommandError(f"{name!r} is neither an address nor a demo wallet ({names})", EXIT_USAGE) from None
        keys = [wallet["private_key"] for wallet in wallets.values() if wallet["address"] == address]
        key = read_key(key_file, address) if key_file else keys[0] if keys else ""
        return Wallet(address, key)

    # --- what wallets sign ---------------------------------------------------------------------------------------------

    @property
    def _domain(self) -> signatures.Domain:
        return signatures.native_domain(self.status["chain_id"], self.status["contracts"]["venue"])

    def _deadline_s(self) -> int:
        """Return a deadline on venue time, which `causeway time` may have moved."""
        return int(self.ask("GET", "/venue/status", headers={})["venue_time_ms"]) // 1_000 + ACTION_LIFE_S

    def act(self, wallet: Wallet, kind: VaultActionKind, token: str, amount_micros: int, to: str = "") -> Json:
        """Sign a vault action and hand it in."""
        nonce, deadline = str(secrets.randbits(64)), self._deadline_s()
        action = VaultAction(wallet.address, kind, token, amount_micros, to or wallet.address, nonce, deadline, "")
        body = {
            "wallet": action.wallet,
            "kind": int(kind),
            "id": token,
            "amount": str(amount_micros),
            "to": action.to,
            "nonce": nonce,
            "deadline": deadline,
            "signature": wallet.sign(signatures.vault_action_digest(self._domain, action)),
        }
        answer: Json = self.ask("POST", "/venue/actions", body, {})
        return {"id": answer["action_id"], "operation": answer["operation"]}

    def link(self, account: str, key_file: Path | None, wallet: Wallet, deliver: bool) -> Json:
        """Link an account with a wallet: both sign."""
        deadline = self._deadline_s()
        digest = signatures.link_account_digest(self._domain, account, wallet.address, deadline)
        body = {
            "wallet": wallet.address,
            "deadline": deadline,
            "signature": wallet.sign(digest),
            "deliver": deliver,
        }
        answer: Json = self.signed(account, key_file, "/venue/links", body)
        return answer


def read_key(path: Path, address: str = "") -> str:
    """Return the wallet key in a file: 64 hex digits. It must belong to `address`, if one is named."""
    try:
        text = path.read_text().strip()
    except OSError as error:
        raise CommandError(f"{path}: {error.strerror}", EXIT_USAGE) from None
    if not re.fullmatch(r"(0x)?[0-9a-fA-F]{64}", text):
        raise CommandError(f"{path} must hold a private key: 64 hexadecimal digits", EXIT_USAGE)
    key = "0x" + text.removeprefix("0x").lower()
    if address:
        digest = bytes(32)
        owner = signatures.recover(digest, signatures.sign_digest(digest, bytes.fromhex(key[2:]))).lower()
        if owner != address:
            raise CommandError(f"the key in {path} belongs to {owner}, not to {address}", EXIT_USAGE)
    return key


def _sign(key: Any, text: bytes) -> bytes:
    if isinstance(key, ed25519.Ed25519PrivateKey):
        return key.sign(text)
    if not isinstance(key, rsa.RSAPrivateKey):
        raise CommandError("the key is neither RSA nor Ed25519", EXIT_USAGE)
    return key.sign(text, padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256())


def _refused(error: urllib.error.HTTPError) -> CommandError:
    """Return the venue's refusal as our error."""
    try:
        answer = json.loads(error.read())
        body = answer["error"] if isinstance(answer["error"], dict) else answer  # Polymarket's dialect has it flat
        name, message = str(body["code"]), str(body.get("message") or body["reason"])
    except (ValueError, KeyError, TypeError):
        name, message = "", f"the venue answers HTTP {error.code}"
    not_ready = error.code == HTTPStatus.SERVICE_UNAVAILABLE
    return CommandError(message, EXIT_NOT_READY if not_ready else EXIT_FAILED, name, error.code)
