"""What Kalshi's published FIX dictionary lacks and its documentation has: market data, states of markets, a few tags."""

from xml.etree.ElementTree import Element, SubElement

_FIELDS = (
    (30, "LastMkt", "STRING"),
    (100, "ExDestination", "STRING"),
    (263, "SubscriptionRequestType", "CHAR"),
    (268, "NoMDEntries", "NUMINGROUP"),
    (269, "MDEntryType", "CHAR"),
    (270, "MDEntryPx", "PRICE"),
    (271, "MDEntrySize", "QTY"),
    (279, "MDUpdateAction", "CHAR"),
    (281, "MDReqRejReason", "CHAR"),
    (326, "SecurityTradingStatus", "INT"),
    (21027, "SplitCollateralReturn", "BOOLEAN"),
    (21030, "SingleMarketCollateralReturn", "AMT"),
    (21031, "RangedMarketCollateralReturn", "AMT"),
)
_ENTRY = ("Symbol", "MDEntryType", "MDEntryPx", "MDEntrySize")
_MESSAGES = (
    ("V", "MarketDataRequest", ("SubscriptionRequestType",), ("NoRelatedSym", ("Symbol",))),
    ("W", "MarketDataSnapshotFullRefresh", ("Symbol",), ("NoMDEntries", _ENTRY[1:])),
    ("X", "MarketDataIncrementalRefresh", (), ("NoMDEntries", ("MDUpdateAction", *_ENTRY))),
    ("Y", "MarketDataRequestReject", ("MDReqRejReason", "Text"), None),
    ("e", "SecurityStatusRequest", ("SubscriptionRequestType", "Symbol"), None),
    ("f", "SecurityStatus", ("Symbol", "SecurityTradingStatus"), None),
)
_MORE = {
    "Logon": ("SplitCollateralReturn",),
    "NewOrderSingle": ("ExDestination",),
    "ExecutionReport": ("SingleMarketCollateralReturn", "RangedMarketCollateralReturn"),
}


def extend(dictionary: Element) -> None:
    """Add what is missing; what a newer file has already stays as it is."""
    fields, messages = dictionary.find("fields"), dictionary.find("messages")
    assert fields is not None
    assert messages is not None
    known = {field.get("number") for field in fields}
    for number, name, kind in _FIELDS:
        if str(number) not in known:
            SubElement(fields, "field", number=str(number), name=name, type=kind)
    types = next(field for field in fields if field.get("number") == "35")
    for msgtype, name, plain, group in _MESSAGES:
        if all(message.get("msgtype") != msgtype for message in messages):
            SubElement(types, "value", enum=msgtype, description=name.upper())
            _add(messages, msgtype, name, plain, group)
    for message in messages:
        present = {child.get("name") for child in message}
        for name in _MORE.get(message.get("name", ""), ()):
            if name not in present:
                SubElement(message, "field", name=name, required="N")


def _add(
    messages: Element, msgtype: str, name: str, plain: tuple[str, ...], group: tuple[str, tuple[str, ...]] | None
) -> None:
    message = SubElement(messages, "message", msgcat="app", msgtype=msgtype, name=name)
    for field in plain:
        SubElement(message, "field", name=field, required="N")
    if group is not None:
        repeated = SubElement(message, "group", name=group[0], required="N")
        for field in group[1]:
            SubElement(repeated, "field", name=field, required="N")
