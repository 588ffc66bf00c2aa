"""The page: its built files, and the headers that keep it from loading or sending anything elsewhere.

`web/` is its source, `bridge/page_build.py` builds it. The document is served at `/` to browsers only (Polymarket's V1 client
asks for `/` too and gets JSON), everything it loads stands under `/assets`, with the hash of its content in the name.
"""

import mimetypes
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, Response

from offchain_book.config import Settings
from offchain_book.gateways.native import problem

_FOREVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class Site:
    """Where the page's parts are on this machine."""

    built: Path
    """The folder with `index.html` and `assets/`."""
    passwords: Path
    """The file of sign-up names and password hashes."""
    gives_test_money: bool
    """Whether the chain is the venue's own, where money is free."""


def security_headers(settings: Settings) -> dict[str, str]:
    """Return the headers of the document: own scripts and styles only, connections to the venue and its chain only."""
    venue = urlsplit(settings.http_url)
    connect = f"'self' ws://{venue.netloc} {settings.rpc_url}"
    policy = {
        "default-src": "'none'",
        "script-src": "'self'",
        "style-src": "'self'",
        "font-src": "'self'",
        "img-src": "'self' data:",
        "connect-src": connect,
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    return {
        "Content-Security-Policy": "; ".join(f"{name} {value}" for name, value in policy.items()),
        "Cross-Origin-Opener-Policy": "same-origin",
        "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
        "Referrer-Policy": "no-referrer",
        "X-Content-Type-Options": "nosniff",
        "Cache-Control": "no-cache",
    }


def document(site: Site, settings: Settings) -> Response:
    """Return the page's HTML."""
    return FileResponse(site.built / "index.html", media_type="text/html", headers=security_headers(settings))


def router(site: Site) -> APIRouter:
    """Return the route of what the page loads."""
    routes = APIRouter(include_in_schema=False)
    folder = site.built / "assets"
    files = {path.name: path for path in folder.iterdir()}

    @routes.get("/assets/{name}")
    async def asset(name: str, request: Request) -> Response:
        """A file of the page; its name changes with its content."""
        path = files.get(name)
        if path is None:
            raise problem(404, "UNKNOWN_ASSET", "the page was built anew: load it again")
        kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
        headers = {"Cache-Control": _FOREVER, "X-Content-Type-Options": "nosniff"}
        return FileResponse(path, media_type=kind, headers=headers)

    return routes
