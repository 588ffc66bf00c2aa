"""Checks answers of Kalshi's dialect against Kalshi's own OpenAPI file: status codes, bodies, both shapes of errors.

The file is not ours to ship: `KALSHI_SPEC_DIR` names its folder, by default the reference folder beside the checkout. Where it
is missing the models of the official client, which parses the same answers in `tests/sdk`, are the check.
"""

import os
import re
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import jsonschema
import yaml

ROOT = Path(__file__).resolve().parents[2]
SPEC = Path(os.environ.get("KALSHI_SPEC_DIR", ROOT.parent / "shared" / "reference" / "kalshi-spec")) / "openapi.yaml"
PREFIX = "/trade-api/v2"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
_FORMATS = jsonschema.FormatChecker(formats=())


@_FORMATS.checks("date-time")
def _is_time(value: object) -> bool:
    return not isinstance(value, str) or _TIME.fullmatch(value) is not None


def _translated(node: Any) -> Any:
    """Return an OpenAPI 3.0 schema as JSON Schema: `nullable` is a type there."""
    if isinstance(node, list):
        return [_translated(item) for item in node]
    if not isinstance(node, dict):
        return node
    plain = {name: _translated(value) for name, value in node.items() if name not in ("nullable", "example", "description")}
    if node.get("nullable"):
        return {"anyOf": [plain, {"type": "null"}]}
    return plain


@cache
def document() -> dict[str, Any]:
    """Return the specification, empty when it is not there."""
    if not SPEC.exists():
        return {}
    found: dict[str, Any] = yaml.load(SPEC.read_text(), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    return found


@cache
def _components() -> dict[str, Any]:
    return {"components": {"schemas": _translated(document()["components"]["schemas"])}}


@cache
def _paths() -> list[tuple[re.Pattern[str], str]]:
    """Return every path as a pattern, fixed ones before those with parameters."""
    paths = sorted(document()["paths"], key=lambda path: [part.startswith("{") for part in path.split("/")])
    return [(re.compile(re.sub(r"{\w+}", "[^/]+", path)), path) for path in paths]


def operation(method: str, path: str) -> dict[str, Any] | None:
    """Return the operation that a path below the prefix belongs to."""
    for pattern, known in _paths():
        if pattern.fullmatch(path) and method.lower() in document()["paths"][known]:
            found: dict[str, Any] = document()["paths"][known][method.lower()]
            return found
    return None


@cache
def _validator(method: str, path: str, status: str) -> jsonschema.Draft202012Validator | None:
    found = operation(method, path)
    assert found is not None
    content = found["responses"][status].get("content", {}).get("application/json", {}).get("schema")
    if content is None:
        return None
    return jsonschema.Draft202012Validator({**_translated(content), **_components()}, format_checker=_FORMATS)


def check(response: httpx.Response) -> None:
    """Fail when an answer is not what the specification says. Routes that it does not have are not checked."""
    raw_path = response.request.url.raw_path.decode().partition("?")[0]
    path = raw_path.removeprefix(PREFIX)
    if not document() or operation(response.request.method, path) is None:
        return
    if response.status_code >= 300:
        check_error(response)
        return
    found = operation(response.request.method, path)
    assert found is not None
    status = str(response.status_code)
    assert status in found["responses"], (found["operationId"], status, sorted(found["responses"]))
    validator = _validator(response.request.method, path, status)
    if status == "204" or (validator is None and not response.content):
        assert response.content == b""
        return
    assert response.headers["content-type"].startswith("application/json")
    if validator is not None:
        validator.validate(response.json())


def check_error(response: httpx.Response) -> None:
    """Fail when an error lacks one of its two shapes."""
    body = response.json()
    flat = {name: body[name] for name in ("code", "message", "details")}
    assert all(isinstance(value, str) for value in flat.values()), body
    assert flat["code"], body
    assert flat["message"], body
    assert (body["error"]["code"], body["error"]["message"]) == (flat["code"], flat["message"])
    assert isinstance(body["error"]["details"], dict), body
