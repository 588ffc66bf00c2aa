"""The door of the FIX gateway: its six ports, taken before anything costs time, and TLS where it is asked for."""

import ssl
from pathlib import Path

from bridge.options import Options
from offchain_book.gateways.fix import FixGateway, listen
from offchain_book.gateways.fix_store import FixStore
from offchain_book.sequencer import Sequencer


class BadCertificate(Exception):
    """FIX cannot be served over TLS with what was given."""


class FixDoor:
    """Six bound ports, and behind them, once opened, the gateway."""

    def __init__(self, host: str, options: Options) -> None:
        """Take the ports. Raises PortTaken and BadCertificate."""
        self._tls = tls_context(options.fix_tls_cert, options.fix_tls_key)
        self._listeners = listen(host, options.fix_port)
        self._gateway: FixGateway | None = None
        self.addresses = {
            service.value: f"{host}:{listener.getsockname()[1]}" for service, listener in self._listeners.items()
        }
        self.transport = "TLS" if self._tls else "plain TCP"

    @property
    def ports(self) -> str:
        """The ports as text."""
        return ", ".join(address.partition(":")[2] for address in self.addresses.values())

    async def open(self, sequencer: Sequencer, store: Path) -> None:
        """Let clients in. Raises StoreInUse."""
        self._gateway = FixGateway(sequencer, FixStore(store), self._tls)
        await self._gateway.start(dict(self._listeners))

    async def close(self) -> None:
        """Log everybody out and give the ports back."""
        gateway, self._gateway = self._gateway, None
        if gateway is not None:
            await gateway.stop()
        for listener in self._listeners.values():
            listener.close()


def tls_context(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """Return what TLS needs (1.2 or newer); None when nobody asked for it. Raises BadCertificate."""
    if certificate is None and key is None:
        return None
    if certificate is None or key is None:
        raise BadCertificate("--fix-tls-cert and --fix-tls-key go together: give both, or none for plain TCP on loopback")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    try:
        context.load_cert_chain(certificate, key)
    except (OSError, ssl.SSLError) as error:
        raise BadCertificate(f"FIX over TLS needs a PEM certificate and its key: {certificate}, {key}: {error}") from error
    return context
