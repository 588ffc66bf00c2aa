"""A real QuickFIX initiator over TLS."""

from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bridge.fix_door import BadCertificate, tls_context
from offchain_book.gateways.fix import Service
from tests.sdk.fix_client import order
from tests.sdk.fix_venue import FixServer
from tests.sdk.kalshi_venue import ALICE, make_keys


def certificate(folder: Path) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 that signs itself, and its key."""
    key = rsa.generate_private_key(65537, 2048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "cert.pem", folder / "key.pem"
    paths[0].write_bytes(made.public_bytes(Encoding.PEM))
    paths[1].write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return paths


def test_orders_over_tls(tmp_path: Path) -> None:
    chain, key = certificate(tmp_path)
    verified = {"CertificateVerifyLevel": "2", "CertificationAuthoritiesFile": str(chain)}
    with (
        FixServer(tmp_path, make_keys(), tls_context(chain, key)) as server,
        server.client(Service.ORDERS, ALICE, tls=True, settings=verified) as client,
    ):
        client.log_on().send("D", order("secret"))
        assert client.wait("8", _11="secret")[150] == "0"


def test_certificate_that_is_missing_or_alone_is_one_clear_line(tmp_path: Path) -> None:
    for chain, key, text in ((tmp_path, None, "go together"), (tmp_path / "none.pem", tmp_path / "none.pem", "PEM")):
        with pytest.raises(BadCertificate, match=text):
            tls_context(chain, key)
