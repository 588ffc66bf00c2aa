"""One QuickFIX initiator in a process of its own, driven by JSON lines. Runs in `.venv-quickfix`, never under pytest.

The first argument is a JSON object: host, port, sender, target, pem, folder (the engine's store), heartbeat_s, dictionary
(a file, or empty), flags ([[tag, value], ...] for the Logon), settings (more of QuickFIX's own). Each line on stdin is a
request; each gets a line back. What arrives is kept until a request takes it.
"""

import base64
import json
import os
import sys
import threading
import time

import quickfix as fix
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.serialization import load_pem_private_key

SOH = "\x01"


def pairs(message):
    """Return a message's fields in order."""
    parts = (part.partition("=") for part in message.toString().split(SOH) if part)
    return [[int(tag), value] for tag, _, value in parts]


class Application(fix.Application):
    """Signs the Logon and keeps everything that comes in."""

    def __init__(self, terms):
        super().__init__()
        self.terms = terms
        with open(terms["pem"], "rb") as file:
            self.key = load_pem_private_key(file.read(), None)
        self.arrived = []
        self.news = threading.Condition()
        self.session = None

    def note(self, kind, fields=()):
        with self.news:
            self.arrived.append({"kind": kind, "fields": list(fields)})
            self.news.notify_all()

    def onCreate(self, session):
        self.session = session

    def onLogon(self, session):
        self.note("logon")

    def onLogout(self, session):
        self.note("logout")

    def toAdmin(self, message, session):
        kind = fix.MsgType()
        message.getHeader().getField(kind)
        if kind.getValue() == fix.MsgType_Logon:
            self.sign(message)

    def sign(self, message):
        header = dict(pairs(message))
        text = SOH.join((header[52], "A", header[34], self.terms.get("signs_as", header[49]), header[56]))
        pss = padding.PSS(mgf=padding.MGF1(hashes.SHA256()), salt_length=32)
        signature = base64.b64encode(self.key.sign(text.encode(), pss, hashes.SHA256())).decode()
        message.setField(fix.StringField(95, str(len(signature))))
        message.setField(fix.StringField(96, signature))
        for tag, value in self.terms.get("flags", ()):
            message.setField(fix.StringField(tag, value))

    def fromAdmin(self, message, session):
        self.note("admin", pairs(message))

    def toApp(self, message, session):
        pass

    def fromApp(self, message, session):
        self.note("app", pairs(message))

    def take(self, wanted, kinds, timeout_s):
        """Return the first kept message that has these values, and drop it; None when it does not come in time."""

        def fits(item):
            fields = item["fields"]
            return item["kind"] in kinds and all([int(tag), value] in fields for tag, value in wanted.items())

        until = time.monotonic() + timeout_s
        with self.news:
            while True:
                for place, item in enumerate(self.arrived):
                    if fits(item):
                        return self.arrived.pop(place)
                left = until - time.monotonic()
                if left <= 0 or not self.news.wait(left):
                    return None


def settings(terms):
    lines = {
        "ConnectionType": "initiator",
        "ReconnectInterval": "1",
        "FileStorePath": terms["folder"],
        "StartTime": "00:00:00",
        "EndTime": "00:00:00",
        "UseDataDictionary": "Y" if terms["dictionary"] else "N",
        "BeginString": "FIXT.1.1",
        "DefaultApplVerID": "FIX.5.0SP2",
        "SenderCompID": terms["sender"],
        "TargetCompID": terms["target"],
        "SocketConnectHost": terms["host"],
        "SocketConnectPort": str(terms["port"]),
        "HeartBtInt": str(terms.get("heartbeat_s", 30)),
        "ResetOnLogon": "Y",
        "LogonTimeout": "60",
        "LogoutTimeout": "60",
        **(
            {"TransportDataDictionary": terms["dictionary"], "AppDataDictionary": terms["dictionary"]}
            if terms["dictionary"]
            else {}
        ),
        **terms.get("settings", {}),
    }
    path = f"{terms['folder']}/quickfix.cfg"
    with open(path, "w") as file:
        file.write("[DEFAULT]\n[SESSION]\n" + "".join(f"{name}={value}\n" for name, value in lines.items()))
    return fix.SessionSettings(path)


class Driver:
    """The requests."""

    def __init__(self, terms):
        self.terms = terms
        self.application = Application(terms)
        configured = settings(terms)
        self.store = fix.FileStoreFactory(configured)
        kind = fix.SSLSocketInitiator if terms.get("tls") else fix.SocketInitiator
        self.initiator = kind(self.application, self.store, configured)
        self.running = False

    def start(self):
        self.initiator.start()
        self.running = True

    def stop(self, force=False):
        if self.running:
            self.running = False
            self.initiator.stop(force)

    def session(self):
        return fix.Session.lookupSession(self.application.session)

    def send(self, fields, groups=()):
        message = fix.Message()
        for tag, value in fields:
            target = message.getHeader() if int(tag) in (35, 43, 97, 122) else message
            target.setField(fix.StringField(int(tag), value))
        for count_tag, first_tag, rows in groups:
            for row in rows:
                group = fix.Group(count_tag, first_tag)
                for tag, value in row:
                    group.setField(fix.StringField(int(tag), value))
                message.addGroup(group)
        fix.Session.sendToTarget(message, self.application.session)

    def flood(self, fields, count, name_tag):
        """Send a message many times, each with a name of its own; return how long it took."""
        started = time.monotonic()
        for number in range(count):
            self.send([*fields, [name_tag, f"flood-{number}"]])
        return time.monotonic() - started

    def wait(self, wanted, kinds=("app",), timeout_s=60):
        return self.application.take(wanted, kinds, timeout_s)

    def arrived(self):
        with self.application.news:
            kept, self.application.arrived = self.application.arrived, []
        return kept

    def numbers(self, sender=None, target=None):
        session = self.session()
        if sender is not None:
            session.setNextSenderMsgSeqNum(sender)
        if target is not None:
            session.setNextTargetMsgSeqNum(target)
        return [session.getExpectedSenderNum(), session.getExpectedTargetNum()]


def main():
    driver = Driver(json.loads(sys.argv[1]))
    print(json.dumps({"result": "ready"}), flush=True)
    for line in sys.stdin:
        request = json.loads(line)
        try:
            answer = {"result": getattr(driver, request["method"])(**request["arguments"])}
        except Exception as error:
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), flush=True)
    os._exit(0)  # the engine's own stop waits for its threads; the venue has to bear an end like this anyway


if __name__ == "__main__":
    main()
