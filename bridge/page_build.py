"""Builds the page once for each state of its sources, with esbuild, into a folder of the cache."""

import fcntl
import hashlib
import json
import shutil
import subprocess
from pathlib import Path

BUILD_TIMEOUT_S = 60


class PageBuildFailed(Exception):
    """The page could not be built; the message is what the builder said."""


def build_page(root: Path, cache_dir: Path) -> Path:
    """Return the folder with the built page; build only if the cache has none of exactly these sources.

    Raise `PageBuildFailed`. `root` is the checkout with `web/` and `node_modules/`.
    """
    built = cache_dir / f"page-{_cache_key(root)}"
    cache_dir.mkdir(parents=True, exist_ok=True)
    with (cache_dir / "page.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another venue may be building the same page: its result will do
        if not built.is_dir():
            unfinished = built.with_suffix(".tmp")
            shutil.rmtree(unfinished, ignore_errors=True)
            _run(root, unfinished)
            unfinished.rename(built)
    return built


def _cache_key(root: Path) -> str:
    """Hash what decides the output: the sources and the versions of what they are bundled with."""
    digest = hashlib.sha256()
    for path in sorted((root / "web").rglob("*")):
        if path.is_file():
            digest.update(f"{path.relative_to(root)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    digest.update(json.dumps(json.loads((root / "package.json").read_text())["dependencies"], sort_keys=True).encode())
    return digest.hexdigest()[:24]


def _run(root: Path, out: Path) -> None:
    if not (root / "node_modules" / "esbuild").is_dir():
        raise PageBuildFailed("the page's builder is missing: run `make setup`")
    done = subprocess.run(
        ["node", str(root / "web" / "build.mjs"), str(out)],
        capture_output=True,
        text=True,
        timeout=BUILD_TIMEOUT_S,
        check=False,
        cwd=root,
    )
    if done.returncode:
        raise PageBuildFailed(f"the page cannot be built:\n{done.stderr.strip()}")
