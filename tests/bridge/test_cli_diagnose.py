"""The archive of `causeway diagnose` holds no secret, whatever the folder and its logs hold."""

import json
import tarfile
from pathlib import Path

import pytest

from bridge.cli_diagnose import MASK, Masker, secrets_of
from bridge.deployment import dev_key
from bridge.node import MNEMONIC
from bridge.venue_process import causeway

PEM = "-----BEGIN PRIVATE KEY-----\nMIIEvAIBADANBgkqhkiG9w0BAQEFAASC\nBKYwggSiAgEAAoIBAQ==\n-----END PRIVATE KEY-----\n"
TOKEN, SECRET = "aa" * 32, "bb" * 32
SIGNATURE, PASSPHRASE = "0x" + "cd" * 65, "open sesame please"
HASH = "0x" + "12" * 32


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A venue's folder with every kind of secret, and logs and a journal that repeat them."""
    data = tmp_path / "venue"
    for name in ("keys", "logs"):
        (data / name).mkdir(parents=True)
    (data / "keys" / "alice.pem").write_text(PEM)
    (data / "operator.token").write_text(f"{TOKEN}\n")
    (data / "reviewer.token").write_text(TOKEN.replace("a", "e"))
    (data / "api.secret").write_text(SECRET)
    key = dev_key(0).private_key
    (data / "logs" / "anvil.log").write_text(
        f"(0) {key.upper()}\nMnemonic: {MNEMONIC}\nAuthorization: Bearer {TOKEN}\n{HASH}\n"
    )
    (data / "logs" / "venue.log").write_text(f"secret {SECRET} in a line; {json.dumps({'pem': PEM})}\n")
    row = {"seq": 1, "command": {"signature": SIGNATURE, "digest": HASH, "passphrase": PASSPHRASE, "public_key": PEM}}
    (data / "journal.log").write_text(json.dumps(row) + "\n")
    wallets = {"dave": {"address": dev_key(0).address, "private_key": key}}
    (data / "status.json").write_text(json.dumps({"http": "http://127.0.0.1:1", "accounts": {"wallets": wallets}}))
    return data


def test_no_secret_gets_into_the_archive(folder: Path, tmp_path: Path) -> None:
    done = causeway("diagnose", "--out", str(tmp_path / "bug.tar.gz"), "--data-dir", str(folder), "-o", "json")
    assert done.returncode == 0, done.stderr
    with tarfile.open(tmp_path / "bug.tar.gz") as archive:
        texts = {name: archive.extractfile(name).read().decode() for name in archive.getnames()}  # type: ignore[union-attr]
    everything = "\n".join(texts.values()).lower()
    forbidden = [
        TOKEN,
        TOKEN.replace("a", "e"),
        SECRET,
        SIGNATURE,
        PASSPHRASE,
        MNEMONIC,
        "-----begin",
        "miievaibada",
        "bkywggsiaga",
    ]
    forbidden += [dev_key(index).private_key[2:] for index in range(10)]
    assert [secret for secret in forbidden if secret.lower() in everything] == []
    assert HASH in everything, "hashes are no secrets"
    assert dev_key(0).address in everything
    assert {name.split("/", 1)[1] for name in texts} >= {
        "status.json",
        "readyz.json",
        "metrics.txt",
        "versions.json",
        "doctor.json",
        "last-commands.jsonl",
        "logs/anvil.log",
    }
    assert "does not answer" in texts["bug/readyz.json"]
    assert json.loads(done.stdout)["masked"] >= 5


def test_masking_keeps_json_readable(folder: Path) -> None:
    masked = Masker(secrets_of(folder)).mask(
        json.dumps({"private_key": 'a"b', "signature": "x", "seq": 3, "token_ids": {"yes": "77"}})
    )
    assert json.loads(masked) == {"private_key": MASK, "signature": MASK, "seq": 3, "token_ids": {"yes": "77"}}
