"""`causeway diagnose`: one archive for a bug report. It has what somebody else needs to see, and no secret of anybody.

Masked are the contents of every secret file of the folder, the development keys, and by name whatever signs or opens something.
Signatures go too: a signed order is good until it expires.
"""

import io
import json
import platform
import re
import tarfile
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path
from typing import Annotated, Any

import typer

from bridge import cli_doctor, cli_status
from bridge import cli_output as output
from bridge.cli_client import CommandError, reporting
from bridge.cli_options import DEFAULT_DATA_DIR, ROOT, DataDirOption, OutputOption

MASK = "[masked]"
LAST_COMMANDS = 200
LOG_BYTES = 200_000
TIMEOUT_S = 10
PAGES = {
    "readyz.json": "/readyz",
    "metrics.txt": "/metrics",
    "venue-status.json": "/venue/status",
    "reserves.json": "/venue/reserves",
}
SECRET_FILES = ("operator.token", "reviewer.token", "api.secret", "keys/*")
_NAMED = re.compile(
    r'("(?:private_key|private_key_pem|secret|api_secret|passphrase|password|signature|authorization)"\s*:\s*)"(?:[^"\\]|\\.)*"',
    re.IGNORECASE,
)
_PEM = re.compile(r"-----BEGIN [A-Z ]+-----.*?-----END [A-Z ]+-----", re.DOTALL)
_BEARER = re.compile(r"(Bearer\s+)\S+", re.IGNORECASE)


def diagnose(
    out: Annotated[
        Path | None, typer.Option("--out", help="The archive; by default causeway-diagnose-TIME.tar.gz here.")
    ] = None,
    data_dir: DataDirOption = DEFAULT_DATA_DIR,
    form: OutputOption = output.Format.TABLE,
) -> None:
    """Write one archive with status, readiness, metrics, logs, versions and the last commands; secrets are masked.

    It works whether the venue runs or not. Exit codes: 0; 1 the archive cannot be written.
    """
    with reporting(form) as progress:
        progress.say("collecting")
        path = out or Path(f"causeway-diagnose-{time.strftime('%Y%m%d-%H%M%S')}.tar.gz")
        masker = Masker(secrets_of(data_dir))
        parts = {name: masker.mask(text) for name, text in collect(data_dir).items()}
        try:
            _write(path, parts)
        except OSError as error:
            raise CommandError(f"{path}: {error.strerror}") from None
        output.show({"archive": str(path.resolve()), "files": sorted(parts), "masked": masker.count}, form)


class Masker:
    """Takes secrets out of texts, and counts them."""

    def __init__(self, secrets: Iterable[str]) -> None:
        known = sorted({secret for secret in secrets if len(secret) >= 8}, key=len, reverse=True)
        self._known = re.compile("|".join(map(re.escape, known)), re.IGNORECASE) if known else None
        self.count = 0

    def mask(self, text: str) -> str:
        """Return a text without secrets."""
        for pattern, replacement in ((_PEM, MASK), (_NAMED, rf'\1"{MASK}"'), (_BEARER, rf"\1{MASK}")):
            text, found = pattern.subn(replacement, text)
            self.count += found
        if self._known is not None:
            text, found = self._known.subn(MASK, text)
            self.count += found
        return text


def secrets_of(data_dir: Path) -> set[str]:
    """Return every secret that the folder or the development mnemonic holds, in each spelling that a log may have."""
    from bridge.deployment import dev_key
    from bridge.node import MNEMONIC

    found = {MNEMONIC, *(dev_key(index).private_key.removeprefix("0x") for index in range(10))}
    for pattern in SECRET_FILES:
        for path in data_dir.glob(pattern):
            text = path.read_text(errors="replace").strip()
            found |= {text, *(line for line in text.splitlines() if not line.startswith("-----"))}
    return found


def collect(data_dir: Path) -> dict[str, str]:
    """Return file name -> content, unmasked. What cannot be had says why in its place."""
    status = cli_status.read(data_dir)
    parts = {
        "status.json": json.dumps(status, indent=1),
        "versions.json": json.dumps(_versions(), indent=1),
        "doctor.json": json.dumps(cli_doctor.examine(ROOT, data_dir, 8_000, 8_545, 8_228), indent=1),
        "last-commands.jsonl": _last_commands(data_dir / "journal.log"),
    }
    for name in ("deployment.json", "seed.json", "clock.json", "liabilities.json"):
        if (data_dir / name).exists():
            parts[name] = (data_dir / name).read_text(errors="replace")
    for path in sorted((data_dir / "logs").glob("*")):
        parts[f"logs/{path.name}"] = _tail(path)
    for name, route in PAGES.items():
        parts[name] = _ask(str(status.get("http", "")), route)
    return parts


def _ask(http_url: str, route: str) -> str:
    if not http_url:
        return "no venue was ever started on this folder\n"
    try:
        with urllib.request.urlopen(http_url + route, timeout=TIMEOUT_S) as answer:
            return str(answer.read().decode(errors="replace"))
    except urllib.error.HTTPError as error:
        return f"HTTP {error.code}\n{error.read().decode(errors='replace')}"
    except OSError as error:
        return f"{http_url} does not answer: {error}\n"


def _last_commands(journal: Path) -> str:
    try:
        with journal.open(errors="replace") as lines:
            return "".join(deque(lines, LAST_COMMANDS))
    except OSError as error:
        return f"{journal}: {error.strerror}\n"


def _tail(path: Path) -> str:
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - LOG_BYTES))
        return file.read().decode(errors="replace")


def _versions() -> dict[str, Any]:
    packages = {one.metadata["Name"]: one.version for one in metadata.distributions()}
    return {"python": platform.python_version(), "platform": platform.platform(), "packages": dict(sorted(packages.items()))}


def _write(path: Path, parts: dict[str, str]) -> None:
    folder = path.name.removesuffix(".tar.gz")
    with tarfile.open(path, "w:gz") as archive:
        for name, text in sorted(parts.items()):
            raw = text.encode()
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mtime = len(raw), int(time.time())
            archive.addfile(entry, io.BytesIO(raw))
