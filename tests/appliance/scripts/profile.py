"""Checks an Apple profile on standard input against the published keys of a configuration profile and of its
com.apple.mail.managed payload, and prints what a device would use."""

import json
import plistlib
import re
import sys

PAYLOAD = {
    "PayloadType": str, "PayloadVersion": int, "PayloadIdentifier": str, "PayloadUUID": str, "PayloadDisplayName": str,
}
TOP = PAYLOAD | {
    "PayloadContent": list, "PayloadDescription": str, "PayloadOrganization": str, "PayloadRemovalDisallowed": bool,
}
SERVER = {
    "MailServerAuthentication": str, "MailServerHostName": str, "MailServerPortNumber": int, "MailServerUseSSL": bool,
    "MailServerUsername": str,
}
MAIL = PAYLOAD | {
    "EmailAccountType": str, "EmailAccountDescription": str, "EmailAddress": str,
    "OutgoingPasswordSameAsIncomingPassword": bool,
} | {side + key: kind for side in ("Incoming", "Outgoing") for key, kind in SERVER.items()}


def check(payload, keys, name):
    assert set(payload) == set(keys), f"{name}: {set(payload) ^ set(keys)}"
    for key, kind in keys.items():
        assert type(payload[key]) is kind, f"{name}: {key} is a {type(payload[key])}"
    assert payload["PayloadType"] == name and payload["PayloadVersion"] == 1
    assert re.fullmatch(r"[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}", payload["PayloadUUID"]), payload["PayloadUUID"]
    assert re.fullmatch(r"[A-Za-z0-9.-]+", payload["PayloadIdentifier"]), payload["PayloadIdentifier"]


profile = plistlib.loads(sys.stdin.buffer.read(), fmt=plistlib.FMT_XML)
check(profile, TOP, "Configuration")
(mail,) = profile["PayloadContent"]
check(mail, MAIL, "com.apple.mail.managed")
assert mail["EmailAccountType"] in ("EmailTypeIMAP", "EmailTypePOP")
for side in ("Incoming", "Outgoing"):
    assert mail[side + "MailServerAuthentication"] == "EmailAuthPassword"
    assert mail[side + "MailServerUseSSL"] is True
assert len({profile["PayloadUUID"], mail["PayloadUUID"]}) == 2
assert len({profile["PayloadIdentifier"], mail["PayloadIdentifier"]}) == 2
print(json.dumps(mail))
