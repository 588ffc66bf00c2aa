"""What messages may hold: the tags of each type that clients send, and how their values are read.

The tables follow Kalshi's published dictionary, and its documentation where the dictionary is behind. A tag that a message
does not know is refused: an option that is ignored is another order.
"""

from collections.abc import Mapping
from typing import NoReturn, TypeVar

from offchain_book.gateways.fix_codec import Fields, time_ms
from offchain_book.gateways.kalshi_units import parse_fixed_point, rescaled

T = TypeVar("T")

MAX_NUMBER = 2**31 - 1
"""Largest message number."""
_HEADER = {8, 9, 35, 49, 56, 34, 52, 43, 97, 122, 50, 142, 57, 143, 115, 128, 1128, 1129, 89, 93}
_PARTIES = {453, 448, 452}
_LOGON = {141, 789, 383, 464, 553, 554, 95, 96}
_FLAGS = {8013, 20126, 20127, 20200, 21005, 21006, 21007, 21008, 21011, 21012, 21026, 21027}

REQUIRED: Mapping[str, set[int]] = {
    "0": set(),
    "1": {112},
    "2": {7, 16},
    "3": {45},
    "4": {36},
    "5": set(),
    "A": {98, 108, 1137, 96},
    "D": {11, 38, 40, 44, 54, 55},
    "F": {11, 41, 54, 55},
    "G": {11, 38, 40, 41, 54, 55},
    "q": {11, 530},
    "UOG": {20131},
    "U1": {21001},
    "V": {263},
    "e": {263, 55},
    "j": {380},
}
"""Message types that this venue reads, and the tags that each must have."""
_OPTIONAL: Mapping[str, set[int]] = {
    "0": {112},
    "3": {371, 372, 373, 58},
    "4": {123},
    "5": {58},
    "A": _LOGON | _FLAGS,
    "D": {18, 59, 60, 126, 2964, 526, 20130, 21006, 21009, 79, 100, 117, 21023} | _PARTIES,
    "F": {37, 79, 60, 100} | _PARTIES,
    "G": {37, 44, 20130, 79, 60, 100} | _PARTIES,
    "q": {60},
    "UOG": {20130, 20132, 79},
    "U1": {21002},
    "V": {146},
    "e": {324},
    "j": {45, 371, 372, 379, 58},
}
_GROUPS: Mapping[str, set[int]] = {"V": {55}}
"""Tags that repeat."""
LATER = {"R", "S", "Z", "U7", "UA", "UE"}
"""Requests for quotes and what belongs to them."""
_SERVER_ONLY = {6, 14, 17, 31, 32, 39, 48, 102, 103, 131, 132, 133, 134, 135, 136, 137, 138, 139, 150, 151, 152, 268, 269}
_SERVER_ONLY |= {270, 271, 279, 281, 297, 298, 303, 326, 378, 434, 531, 532, 658, 704, 705, 715, 730, 880, 891, 893, 1057}
_SERVER_ONLY |= {1703, 1704, 1705, *range(20105, 20111), *range(20180, 20188), 21003, 21004, 21010, 21013, 21015, 21016}
_SERVER_ONLY |= {21022, 21024, 21025, 21030, 21031}
_KNOWN = _HEADER | _SERVER_ONLY | set().union(*REQUIRED.values(), *_OPTIONAL.values(), *_GROUPS.values())
_TAGS_OF = {
    kind: (
        frozenset(required),
        frozenset(required | _OPTIONAL.get(kind, set()) | _HEADER | _GROUPS.get(kind, set())),
        frozenset(_GROUPS.get(kind, set())),
    )
    for kind, required in REQUIRED.items()
}
"""Message type -> (required, allowed, repeating) tags."""


class Refused(Exception):
    """A message breaks a rule of the session layer: Reject (35=3). `reason` is SessionRejectReason."""

    def __init__(self, reason: int, text: str, tag: int | None = None) -> None:
        super().__init__(text)
        self.reason = reason
        self.tag = tag


class Message:
    """One message. `values` has the first value of each tag, `fields` all of them in order."""

    __slots__ = ("fields", "kind", "number", "values")

    def __init__(self, fields: Fields) -> None:
        self.fields = fields
        self.values = dict(reversed(fields))
        self.kind = self.values.get(35, "")
        number = self.values.get(34, "")
        self.number = int(number) if number.isdecimal() and number.isascii() and len(number) < 11 else 0
        """0 when there is none."""

    def check(self) -> None:
        """Check what the type demands. Raises Refused for the first thing that is wrong."""
        if len(self.fields) < 3 or self.fields[2][0] != 35:
            raise Refused(14, "MsgType<35> must be the third field", 35)
        if self.kind not in REQUIRED:
            raise Refused(11, f"this venue reads no message of type {self.kind[:10]}")
        required, allowed, repeating = _TAGS_OF[self.kind]
        seen: set[int] = set()
        for tag, value in self.fields:
            if not tag:
                raise Refused(0, f"'{_shown(value)}' is no field: tag=value is needed")
            if tag not in allowed:
                known = tag in _KNOWN
                text = f"tag {tag} is not defined for message type {self.kind}" if known else f"undefined tag {tag}"
                raise Refused(2 if known else 3, text, tag)
            if not value:
                raise Refused(4, f"tag {tag} has no value", tag)
            if tag in seen and tag not in repeating:
                raise Refused(13, f"tag {tag} appears more than once", tag)
            seen.add(tag)
            if not (value.isascii() and value.isprintable()) and tag not in (96, 89):
                raise Refused(6, f"tag {tag} holds characters that are not printable ASCII", tag)
        if not required <= seen:
            absent = min(required - seen)
            raise Refused(1, f"required tag {absent} is missing", absent)

    def text(self, tag: int, longest: int = 200) -> str:
        """Return a value, empty when absent. Raises Refused."""
        value = self.values.get(tag, "")
        if len(value) > longest:
            raise Refused(5, f"tag {tag} has {len(value)} characters, {longest} are allowed", tag)
        return value

    def flag(self, tag: int) -> bool:
        """Return a Boolean, false when absent. Raises Refused."""
        return self.choice(tag, {"Y": True, "N": False}, False)

    def integer(self, tag: int, lowest: int, highest: int) -> int | None:
        """Return a whole number, None when absent. Raises Refused."""
        value = self.values.get(tag)
        if value is None:
            return None
        digits = value.removeprefix("-")
        if not digits.isdecimal() or len(digits) > 12:
            raise Refused(6, f"tag {tag} must be a whole number, not '{value[:20]}'", tag)
        if not lowest <= int(value) <= highest:
            raise Refused(5, f"tag {tag} must be {lowest} to {highest}, not {value}", tag)
        return int(value)

    def required_integer(self, tag: int, lowest: int, highest: int) -> int:
        """Return a whole number that must be there. Raises Refused."""
        found = self.integer(tag, lowest, highest)
        if found is None:
            raise Refused(1, f"required tag {tag} is missing", tag)
        return found

    def choice(self, tag: int, choices: Mapping[str, T], absent: T) -> T:
        """Return what a code stands for. Raises Refused naming the codes that there are."""
        value = self.values.get(tag)
        if value is None:
            return absent
        if value not in choices:
            raise Refused(5, f"tag {tag} must be one of {', '.join(choices)}, not '{value[:20]}'", tag)
        return choices[value]

    def decimal(self, tag: int, decimals: int) -> int:
        """Return a number in units of 10^-decimals. Raises Refused."""
        parsed = parse_fixed_point(self.values[tag])
        if parsed is None:
            raise Refused(6, f"tag {tag} must be a decimal number, not '{self.values[tag][:20]}'", tag)
        units, exact = rescaled(*parsed, decimals)
        if not exact:
            self.refuse_decimals(tag, decimals)
        return units

    def refuse_decimals(self, tag: int, decimals: int) -> NoReturn:
        """Raise Refused for a number that is too fine."""
        most = f"at most {decimals} decimals" if decimals else "a whole number"
        raise Refused(5, f"tag {tag} takes {most}, not '{self.values[tag][:20]}'", tag)

    def instant_ms(self, tag: int) -> int | None:
        """Return a UTCTimestamp in milliseconds, None when absent. Raises Refused."""
        value = self.values.get(tag)
        if value is None:
            return None
        found = time_ms(value)
        if found is None:
            raise Refused(6, f"tag {tag} must be a UTC time such as 20261122-15:00:00.000, not '{value[:30]}'", tag)
        return found


def _shown(value: str) -> str:
    return value[:20].encode("ascii", "backslashreplace").decode()
