# SCRAM-SHA-256 and -PLUS (RFC 5802, RFC 7677, RFC 5929) by hand, over IMAP, POP3 and submission: once as it should be,
# and in all the ways in which it must fail.
import base64, hashlib, hmac, os, socket, ssl, sys

ca, user, password, other, imaps, pop3s, submissions = sys.argv[1:8]
tls = ssl.create_default_context(cafile=ca)
b64, unb64 = lambda raw: base64.b64encode(raw).decode(), base64.b64decode
sign = lambda key, text: hmac.new(key, text.encode(), hashlib.sha256).digest()


class Line:
    """A connection under TLS that speaks in lines."""

    def __init__(self, port):
        self.socket = tls.wrap_socket(socket.create_connection(("localhost", int(port)), 30), server_hostname="localhost")
        self.file = self.socket.makefile("rb")
        certificate = self.socket.getpeercert(binary_form=True)
        self.bound = hashlib.sha256(certificate).digest()

    def say(self, line):
        self.socket.sendall(line.encode() + b"\r\n")

    def hear(self):
        return self.file.readline().decode().rstrip("\r\n")


class Imap(Line):
    name = "IMAP"

    def __init__(self):
        super().__init__(imaps)
        self.offers = self.hear()

    def begin(self, mechanism, initial):
        self.say(f"a AUTHENTICATE {mechanism}" + (f" {initial}" if initial else ""))

    def question(self):
        line = self.hear()
        while line.startswith("* "):
            line = self.hear()
        return (line[2:], None) if line.startswith("+ ") else (None, line)

    def is_in(self, line):
        return line.startswith("a OK ")


class Pop3(Line):
    name = "POP3"

    def __init__(self):
        super().__init__(pop3s)
        self.hear()
        self.say("CAPA")
        self.offers = ""
        while (line := self.hear()) != ".":
            self.offers += line + " "

    def begin(self, mechanism, initial):
        self.say(f"AUTH {mechanism}" + (f" {initial}" if initial else ""))

    question = Imap.question

    def is_in(self, line):
        return line.startswith("+OK ")


class Smtp(Line):
    name = "SMTP"

    def __init__(self):
        super().__init__(submissions)
        self.hear()
        self.say("EHLO client.test")
        self.offers = ""
        while True:
            line = self.hear()
            self.offers += line + " "
            if line[3] == " ":
                break

    begin = Pop3.begin

    def question(self):
        line = self.hear()
        return (line[4:], None) if line.startswith("334 ") else (None, line)

    def is_in(self, line):
        return line.startswith("235 ")


def log_in(kind, mechanism, header, bound, login=user, secret=password, initial=True, change=lambda last: last, line=None):
    """Tries to; gives the last line, and whether the server proved itself."""
    line = line or kind()
    bare = f"n={login},r={b64(os.urandom(12))}"
    first = b64((header + bare).encode())
    line.begin(mechanism, first if initial else None)
    if not initial:
        question, end = line.question()
        assert question == "", (question, end)
        line.say(first)
    question, end = line.question()
    if end:
        return end, False
    said = unb64(question).decode()
    parts = dict(part.split("=", 1) for part in said.split(","))
    assert parts["r"].startswith(bare.split("r=")[1]) and int(parts["i"]) >= 4096, said
    salted = hashlib.pbkdf2_hmac("sha256", secret.encode(), unb64(parts["s"]), int(parts["i"]))
    before = f"c={b64(header.encode() + bound(line))},r={parts['r']}"
    auth = f"{bare},{said},{before}"
    client_key = sign(salted, "Client Key")
    signature = sign(hashlib.sha256(client_key).digest(), auth)
    proof = bytes(a ^ b for a, b in zip(client_key, signature))
    line.last = change(f"{before},p={b64(proof)}")
    line.say(b64(line.last.encode()))
    question, end = line.question()
    if end:
        return end, False
    proved = unb64(question).decode() == "v=" + b64(sign(sign(salted, "Server Key"), auth))
    line.say("")
    question, end = line.question()
    return end, proved


PLUS, PLAIN = "SCRAM-SHA-256-PLUS", "SCRAM-SHA-256"
END_POINT = "p=tls-server-end-point,,"
unbound, bound = lambda line: b"", lambda line: line.bound

for kind in [Imap, Pop3, Smtp]:
    line = kind()
    offers = line.offers.replace("AUTH=", "").replace("]", " ").split()
    assert PLUS in offers and PLAIN in offers and "PLAIN" in offers, line.offers
    assert offers.index("PLAIN") < offers.index(PLAIN), line.offers

    def right(*arguments, **more):
        end, proved = log_in(kind, *arguments, **more)
        assert proved and kind.is_in(None, end), (kind.name, arguments, more, end)

    def wrong(*arguments, **more):
        end, proved = log_in(kind, *arguments, **more)
        assert not proved and not kind.is_in(None, end), (kind.name, arguments, more, end)
        return end

    right(PLUS, END_POINT, bound)
    right(PLUS, END_POINT, bound, initial=False)
    right(PLAIN, "n,,", unbound)
    right(PLAIN, "n,,", unbound, initial=False)
    right(PLAIN, "n,,", unbound, login=user.upper())
    right(PLAIN, "n,,", unbound, secret=other)

    # The same words for a wrong password and for a name that nobody has.
    refused = wrong(PLAIN, "n,,", unbound, secret="wrong")
    assert "app password" in refused, refused
    assert wrong(PLAIN, "n,,", unbound, login="nobody@home.test") == refused
    assert wrong(PLAIN, "n,,", unbound, login="carol@home.test") == refused
    assert wrong(PLUS, END_POINT, bound, secret=password.replace("-", "")) == refused, "it is not the form that was shown"

    # In the middle: the binding taken away, or made with another certificate.
    assert "between" in wrong(PLAIN, "y,,", unbound)
    assert "between" in wrong(PLUS, END_POINT, lambda line: bytes(32))
    assert "between" in wrong(PLUS, END_POINT, lambda line: line.bound[:31])
    assert "between" in wrong(PLUS, END_POINT, unbound)
    wrong(PLUS, "n,,", unbound)
    wrong(PLAIN, END_POINT, bound)
    wrong(PLUS, "p=tls-unique,,", lambda line: bytes(12))
    wrong(PLUS, "p=tls-exporter,,", lambda line: bytes(32))

    # Broken, slipped in, cut short, huge, overheard.
    wrong(PLAIN, "n,,", unbound, change=lambda last: last.replace("r=", "r=x"))
    wrong(PLAIN, "n,,", unbound, change=lambda last: last.replace(",p=", ",x=y,p="))
    wrong(PLAIN, "n,,", unbound, change=lambda last: last[:-8])
    wrong(PLAIN, "n,,", unbound, change=lambda last: "")
    wrong(PLAIN, "n,,", unbound, change=lambda last: last + "," + "x" * 8000)
    wrong(PLAIN, "n,a=carol@home.test,", unbound)
    wrong(PLAIN, "n,,", unbound, login="n" * 5000)
    overheard = kind()
    end, proved = log_in(kind, PLAIN, "n,,", unbound, line=overheard)
    assert proved, end
    wrong(PLAIN, "n,,", unbound, change=lambda last: overheard.last)

    # Given up half-way, the session goes on and the next login is a new one.
    line = kind()
    line.begin(PLAIN, b64(f"n,,n={user},r=abc".encode()))
    question, end = line.question()
    line.say("*")
    question, end = line.question()
    assert end and not kind.is_in(None, end), end
    end, proved = log_in(kind, PLUS, END_POINT, bound, line=line)
    assert proved and kind.is_in(None, end), end

    # Whoever takes no note of the server's proof is not in.
    for answer in ["*", b64(b"x")]:
        line = kind()
        say, said = line.say, []
        line.say = lambda text, say=say: say(answer if text == "" else text)
        end, proved = log_in(kind, PLAIN, "n,,", unbound, line=line)
        assert not kind.is_in(None, end), end

print("all is well")
