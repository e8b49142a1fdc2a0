"""dkimpy as a referee: `dkimpy.py ACTION [OPTIONS]`, the message on standard input; OPTIONS and what is printed are JSON."""
import json
import sys

import dkim
import dns.resolver


def txt(name, timeout=5):
    try:
        answer = dns.resolver.resolve(name.decode("ascii"), "TXT", lifetime=timeout)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return None
    return b"".join(answer[0].strings)


def options():
    given = json.loads(sys.argv[2])
    return {key: value.encode() if isinstance(value, str) else value for key, value in given.items()}


def verify(message):
    found = []
    whole = dkim.DKIM(message)
    count = sum(1 for name, _ in whole.headers if name.lower() == b"dkim-signature")
    for index in range(count):
        one = dkim.DKIM(message)
        reason = ""
        try:
            valid = one.verify(idx=index, dnsfunc=txt)
        except dkim.DKIMException as error:
            valid, reason = False, str(error)
        fields = {key.decode(): value.decode() for key, value in one.signature_fields.items()}
        found.append({
            "valid": bool(valid),
            "reason": reason,
            "domain": fields.get("d", ""),
            "selector": fields.get("s", ""),
            "algorithm": fields.get("a", ""),
            "fields": [name.strip().lower() for name in fields.get("h", "").split(":")],
            "length": fields.get("l"),
        })
    print(json.dumps(found))


def sign(message):
    signatures = []
    for given in options()["signatures"]:
        with open(given["key"], "rb") as key:
            private = key.read()
        signatures.append(dkim.sign(
            message,
            given["selector"].encode(),
            given["domain"].encode(),
            private,
            canonicalize=(given["header"].encode(), given["body"].encode()),
            signature_algorithm=given["algorithm"].encode(),
            include_headers=[name.encode() for name in given["fields"]],
            length=given["length"],
        ))
    sys.stdout.buffer.write(b"".join(signatures) + message)


def arc_verify(message):
    cv, results, reason = dkim.arc_verify(message, dnsfunc=txt)
    print(json.dumps({"cv": (cv or b"terminated").decode(), "sets": len(results), "reason": str(reason)}))


def arc_sign(message):
    given = options()
    with open(given["key"], "rb") as key:
        private = key.read()
    seal = dkim.ARC(message)
    fields = seal.sign(
        given["selector"],
        given["domain"],
        private,
        given["authserv"],
        include_headers=[name.encode() for name in given["fields"]],
    )
    sys.stdout.buffer.write(b"".join(fields) + message)


ACTIONS = {"verify": verify, "sign": sign, "arc-verify": arc_verify, "arc-sign": arc_sign}
ACTIONS[sys.argv[1]](sys.stdin.buffer.read())
