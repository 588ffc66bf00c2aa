"""Why a signature is not its signer's: tries the mistakes that people make until one of them fits.

A wrong signature recovers to some address that means nothing. But if the signer signed under another domain, or with one field
different, then exactly that domain or field makes it recover to the signer. So every known mistake is tried: each domain, each
field, and each field with one difference in the domain; a fit is proof, not a guess. The structs are hashed by `eth_account`, a
second implementation beside `signatures.py`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from eth_account.messages import encode_typed_data

from offchain_book.config import Settings
from offchain_book.engine.operations import ZERO_ADDRESS, ZERO_BYTES32
from offchain_book.gateways import typed_data
from offchain_book.signatures import Domain, InvalidSignature, keccak256, parse_signature, recover, typed_digest

Json = dict[str, Any]
_CURVE_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_CHAINS = (1, 137, 80_002, 80_001, 31_337, 1_337, 8_453, 11_155_111)
_EXCHANGES = {
    "0x4bfb41d5b3570defd03c39a9a4d8de6bd8b8982e": "Polymarket's V1 exchange on Polygon",
    "0xc5d563a36ae78145c45a50134d48a1215220f80a": "Polymarket's V1 neg-risk exchange on Polygon; no market here is neg-risk",
    "0xd91e80cf2e7be2e162c6513ced06f1dd0da35296": "Polymarket's V1 neg-risk adapter; no market here is neg-risk",
    "0xe2222d279d744050d28e00520010520000310f59": "Polymarket's V2 neg-risk exchange; no market here is neg-risk",
    "0x9fe6e61422adb6f610d8597f9684b16912d50c3d": "Polymarket's exchange version 3, which a client signs for `position_id`",
}
SIGNER_FIELDS = ("signer", "wallet", "address", "maker")


class BadStruct(ValueError):
    """The message is not the struct; says which field is wrong."""


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that may have been different when the signature was made."""

    where: str
    field: str
    value: Any
    why: str = ""


@dataclass(frozen=True, slots=True)
class Variant:
    """A domain separator or struct hash, and the changes that make it."""

    hash: bytes
    changes: tuple[Change, ...]


def normalised(fields: list[dict[str, str]], message: Mapping[str, Any]) -> Json:
    """Return a struct's fields in the types that EIP-712 hashes; decimal strings and Polymarket's BUY and SELL are taken."""
    found: Json = {}
    for field in fields:
        name, kind = field["name"], field["type"]
        if name not in message:
            raise BadStruct(f"the message has no {name}")
        value = message[name]
        try:
            if kind.startswith("uint"):
                value = {"BUY": 0, "SELL": 1}.get(value, value) if name == "side" else value
                value = int(value)
                if not 0 <= value < 1 << int(kind[4:]):
                    raise ValueError("out of range")
            elif kind == "address":
                if len(bytes.fromhex(value.removeprefix("0x"))) != 20:
                    raise ValueError("not 20 bytes")
                value = value.lower()
            elif kind == "bytes32":
                value = "0x" + bytes.fromhex(value.removeprefix("0x")).hex().rjust(64, "0")
            elif kind == "bytes32[]":
                value = [bytes.fromhex(one.removeprefix("0x")) for one in value]
            else:
                value = str(value)
        except (ValueError, TypeError, AttributeError) as error:
            raise BadStruct(f"{name} is no {kind}: {str(message[name])[:80]} ({error})") from None
        found[name] = value
    return found


class Patient:
    """One struct under one domain with one signature, and who should have signed it."""

    def __init__(self, settings: Settings, kind: str, message: Mapping[str, Any], signature: str, signer: str) -> None:
        described = typed_data.describe(settings)
        self._settings = settings
        self._domains: dict[str, Json] = described["domains"]
        self.kind = kind
        self.domain = self._domains[described["signed_under"][kind]]
        self._types = described["types"][kind]
        ((self.struct, fields),) = self._types.items()
        self.message = normalised(fields, message)
        self.signature = signature
        self.signer = (signer or next(self.message[name] for name in SIGNER_FIELDS if name in self.message)).lower()
        self._separator, self.struct_hash = self._hashes(self.domain, self.message)
        self.digest = typed_digest(self._separator, self.struct_hash)

    def _hashes(self, domain: Json, message: Json) -> tuple[bytes, bytes]:
        encoded = encode_typed_data(domain, self._types, message)
        return bytes(encoded.header), bytes(encoded.body)

    def examine(self) -> Json:
        """Say which check fails and what would have been right."""
        found: Json = {
            "struct": self.struct,
            "domain": self.domain,
            "domain_separator": "0x" + self._separator.hex(),
            "struct_hash": "0x" + self.struct_hash.hex(),
            "digest": "0x" + self.digest.hex(),
            "expected": self.signer,
            "recovered": None,
            "differing": [],
        }
        try:
            parse_signature(self.signature)
            found["recovered"] = recover(self.digest, self.signature).lower()
        except InvalidSignature as error:
            return found | {"ok": False, "check": "signature form", "message": self._repair(str(error))}
        if found["recovered"] == self.signer:
            return found | {"ok": True, "check": None, "message": "the signature is the signer's over this struct"}
        return found | self._diagnose(found["recovered"])

    def _diagnose(self, recovered: str) -> Json:
        changes = self._fitting()
        if changes is not None:
            check = "domain" if any(one.where == "domain" for one in changes) else "message"
            rows = [self._row(one) for one in changes]
            words = "; ".join(
                f"{row['where']}.{row['field']} was {row['signed']}, it has to be {row['expected']}" for row in rows
            )
            whys = [one.why for one in changes if one.why]
            return {
                "ok": False,
                "check": check,
                "message": ". ".join([f"what was signed differs: {words}", *whys]),
                "differing": rows,
            }
        prefixed = keccak256(b"\x19Ethereum Signed Message:\n32" + self.digest)
        if recover(prefixed, self.signature).lower() == self.signer:
            message = "the digest was signed with personal_sign; sign the typed data (eth_signTypedData_v4) instead"
            return {"ok": False, "check": "method", "message": message}
        named = [name for name, value in self.message.items() if value == recovered]
        if named:
            message = (
                f"it is the signature of {recovered}, the {named[0]}, but {self.signer} has to sign: leave the funder out"
            )
            return {"ok": False, "check": "signer", "message": message}
        message = (
            f"it recovers to {recovered}, and no known mistake makes it {self.signer}'s: another key signed (compare its address), "
            "or a field has another value than the one sent (compare digest and struct_hash with your own)"
        )
        return {"ok": False, "check": "signer", "message": message}

    def _row(self, change: Change) -> Json:
        here = self.domain if change.where == "domain" else self.message
        return {
            "where": change.where,
            "field": change.field,
            "signed": change.value if isinstance(change.value, str) else str(change.value),
            "expected": str(here.get(change.field, "(absent)")),
        }

    def _repair(self, why: str) -> str:
        """Say how a signature of a wrong form could be put right, if it then is the signer's."""
        try:
            raw = bytes.fromhex(self.signature.removeprefix("0x"))
        except ValueError:
            return why
        r, s = int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:64], "big")
        if len(raw) == 64:
            compact = s >> 255
            tries = {
                "the v byte is missing: append {v:02x}": [(s, 27), (s, 28)],
                "it is in the compact form of EIP-2098; send r, s and v": [(s & ((1 << 255) - 1), 27 + compact)],
            }
        elif len(raw) == 65:
            tries = {
                "s is in the upper half: send the curve's order minus s, and v {v}": [
                    (_CURVE_ORDER - s, 27),
                    (_CURVE_ORDER - s, 28),
                ],
                "v has to be {v}": [(s, 27), (s, 28)],
            }
        else:
            return f"{why}; 65 bytes are r, s and v, as eth_signTypedData_v4 returns them"
        for advice, forms in tries.items():
            for low, v in forms:
                if self._is_signers(r, low, v):
                    return f"{why}: {advice.format(v=v)}"
        return f"{why}, and it is not the signer's in any other form either"

    def _is_signers(self, r: int, s: int, v: int) -> bool:
        try:
            return recover(self.digest, f"0x{r:064x}{s % (1 << 256):064x}{v:02x}").lower() == self.signer
        except InvalidSignature:
            return False

    # --- mistakes ------------------------------------------------------------------------------------------------------

    def _fitting(self) -> tuple[Change, ...] | None:
        """Return the fewest changes that make the signature the signer's."""
        domains = [Variant(self._separator, ()), *self._domain_variants()]
        structs = [Variant(self.struct_hash, ()), *self._struct_variants()]
        pairs = [(one, other) for one in domains for other in structs if len(one.changes) < 2 or not other.changes]
        pairs.sort(key=lambda pair: len(pair[0].changes) + len(pair[1].changes))
        for domain, struct in pairs:
            try:
                recovered = recover(typed_digest(domain.hash, struct.hash), self.signature)
            except InvalidSignature:
                continue
            if recovered.lower() == self.signer:
                return domain.changes + struct.changes
        return None

    def _domain_variants(self) -> Iterator[Variant]:
        own = [str(one["verifyingContract"]) for one in self._domains.values() if "verifyingContract" in one]
        exchanges = {address.lower(): "" for address in (*own, self._settings.collateral_address)} | _EXCHANGES
        chains = dict.fromkeys((self._settings.client_chain_id, self._settings.chain_id, *_CHAINS))
        names = sorted({str(one["name"]) for one in self._domains.values()})
        options: dict[str, Mapping[Any, str]] = {
            "chainId": {chain: "chain 137 is refused everywhere" if chain == 137 else "" for chain in chains},
            "verifyingContract": exchanges if "verifyingContract" in self.domain else {},
            "version": dict.fromkeys(("1", "2", "3"), ""),
            "name": dict.fromkeys(names, ""),
        }
        for field, values in options.items():
            for value, why in values.items():
                if str(value).lower() != str(self.domain[field]).lower():
                    yield self._domain_variant((Change("domain", field, value, why),))
        for contract, why in options["verifyingContract"].items():
            for chain in chains:
                for version in ("1", "2", "3"):
                    wanted = {"verifyingContract": (contract, why), "chainId": (chain, ""), "version": (version, "")}
                    different = tuple(
                        Change("domain", field, value, reason)
                        for field, (value, reason) in wanted.items()
                        if str(value).lower() != str(self.domain[field]).lower()
                    )
                    if len(different) > 1:
                        yield self._domain_variant(different)
        for other in self._domains.values():
            different = tuple(
                Change("domain", field, other.get(field, "(absent)"))
                for field in self.domain.keys() | other.keys()
                if other.get(field) != self.domain.get(field)
            )
            if len(different) > 1:
                yield Variant(_separator(other), different)

    def _domain_variant(self, changes: tuple[Change, ...]) -> Variant:
        return Variant(_separator(self.domain | {one.field: one.value for one in changes}), changes)

    def _struct_variants(self) -> Iterator[Variant]:
        for changes in self._struct_changes():
            altered = self.message | {one.field: one.value for one in changes}
            if altered == self.message or any(isinstance(one.value, int) and one.value < 0 for one in changes):
                continue
            different = tuple(one for one in changes if self.message[one.field] != one.value)
            yield Variant(self._hashes(self.domain, altered)[1], different)

    def _struct_changes(self) -> Iterator[tuple[Change, ...]]:
        message = self.message

        def change(field: str, value: Any, why: str = "") -> Change:
            return Change("message", field, value, why)

        for gives, asks in (("makerAmount", "takerAmount"), ("sellAmount", "buyAmount")):
            if gives in message:
                why = "the amounts were swapped: the first is what the order gives, the second what it asks for"
                yield (change(gives, message[asks], why), change(asks, message[gives]))
                for field in (gives, asks):
                    yield (change(field, message[field] * 10**6, "amounts are millionths"),)
                    yield (change(field, message[field] // 10**6, "amounts are millionths"),)
                yield tuple(change(field, message[field] // 10**6, "amounts are millionths") for field in (gives, asks))
                yield tuple(change(field, message[field] * 10**6, "amounts are millionths") for field in (gives, asks))
        if "side" in message:
            yield (change("side", 1 - message["side"] % 2),)
        if "signatureType" in message:
            for kind in range(4):
                yield (change("signatureType", kind),)
                yield (change("signatureType", kind), change("maker", self.signer, "the funder is another wallet"))
        for field in ("expiration", "timestamp", "deadline"):
            if isinstance(message.get(field), int):
                unit = "milliseconds" if field == "timestamp" else "seconds"
                yield (change(field, message[field] * 1_000, f"{field} is in {unit}"),)
                yield (change(field, message[field] // 1_000, f"{field} is in {unit}"),)
                yield (change(field, 0),)
        for field in ("maker", "signer", "wallet", "to"):
            if field in message:
                yield (change(field, self.signer, "the funder is another wallet" if field == "maker" else ""),)
        if "maker" in message:
            yield (change("signer", message["maker"]),)
            yield (change("maker", message["signer"], "the funder is another wallet"),)
        for field, zero in (("taker", ZERO_ADDRESS), ("metadata", ZERO_BYTES32), ("builder", ZERO_BYTES32)):
            if field in message:
                yield (change(field, zero),)
        for field in ("nonce", "feeRateBps", "feeCapBps", "kind"):
            if isinstance(message.get(field), int):
                for value in dict.fromkeys((0, message[field] + 1, message[field] - 1)):
                    yield (change(field, value),)
        if "tokenId" in message:
            yield (change("tokenId", message["tokenId"] ^ 3, "it is the market's other token"),)
        if "id" in message:
            yield (change("id", message["id"] ^ 3, "it is the market's other token"),)


def _separator(domain: Mapping[str, Any]) -> bytes:
    contract = domain.get("verifyingContract")
    return Domain(str(domain["name"]), str(domain["version"]), int(domain["chainId"]), contract and str(contract)).separator
