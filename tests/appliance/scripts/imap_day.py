# A day of IMAP with Python's imaplib: STARTTLS, folders, flags, searching, copying, deleting, appending.
import imaplib, re, ssl, sys

port, ca, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
tls = ssl.create_default_context(cafile=ca)


def ok(answer):
    status, data = answer
    assert status == "OK", answer
    return data


def connect():
    imap = imaplib.IMAP4("localhost", port)
    assert "LOGINDISABLED" in imap.capabilities, imap.capabilities
    try:
        imap.login(user, password)
        raise AssertionError("a login in clear text was allowed")
    except imaplib.IMAP4.error:
        pass
    ok(imap.starttls(tls))
    ok(imap.login(user, password))
    return imap


imap = connect()
for name in ["IMAP4REV1", "IDLE", "UIDPLUS", "MOVE", "SPECIAL-USE", "NAMESPACE", "ID", "ENABLE", "CHILDREN",
             "LIST-EXTENDED", "LIST-STATUS", "UNSELECT", "CONDSTORE"]:
    assert name in imap.capabilities, (name, imap.capabilities)
ok(imap.noop())
ok(imap.namespace())
folders = [line.decode() for line in ok(imap.list())]
assert any("\\Sent" in line for line in folders), folders

assert ok(imap.select("INBOX")) == [b"3"]
assert ok(imap.search(None, "ALL")) == [b"1 2 3"]
assert ok(imap.search(None, "SUBJECT", '"two"')) == [b"2"]
assert ok(imap.search("UTF-8", "TEXT", '"hidden"')) == [b"1 2 3"]
assert ok(imap.search(None, "NOT", "FROM", "bob")) == [b""]
header = ok(imap.fetch("1", "(UID FLAGS RFC822.SIZE ENVELOPE BODY.PEEK[HEADER.FIELDS (SUBJECT)])"))
assert b"for python one" in header[0][1], header
whole = ok(imap.fetch("1", "(RFC822)"))[0][1]
size = int(re.search(rb"RFC822.SIZE (\d+)", ok(imap.fetch("1", "(RFC822.SIZE)"))[0]).group(1))
assert len(whole) == size, (len(whole), size)
assert whole.endswith(b".\r\n.hidden\r\nThe last one.\r\n"), whole
assert ok(imap.fetch("1", "(BODY.PEEK[]<10.20>)"))[0][1] == whole[10:30]
assert b"\\Seen" in ok(imap.fetch("1", "(FLAGS)"))[0]

ok(imap.store("2", "+FLAGS", "(\\Flagged $Later)"))
assert ok(imap.search(None, "FLAGGED", "KEYWORD", "$Later")) == [b"2"]
ok(imap.store("2", "-FLAGS.SILENT", "(\\Flagged)"))
assert ok(imap.search(None, "FLAGGED")) == [b""]

ok(imap.create('"Projects/Garten &AOQ-"'))
ok(imap.subscribe('"Projects/Garten &AOQ-"'))
assert any("Garten &AOQ-" in line.decode() for line in ok(imap.lsub()))
ok(imap.copy("1:2", '"Projects/Garten &AOQ-"'))
assert ok(imap.status('"Projects/Garten &AOQ-"', "(MESSAGES UNSEEN UIDNEXT UIDVALIDITY)"))[0].count(b"MESSAGES 2") == 1
ok(imap.rename('"Projects/Garten &AOQ-"', "Garten"))

ok(imap.append("Drafts", "(\\Draft \\Seen)", imaplib.Time2Internaldate(0), b"Subject: a draft\r\n\r\nHello\r\n"))
assert ok(imap.select("Drafts", readonly=True)) == [b"1"]
assert b"01-Jan-1970" in ok(imap.fetch("1", "(INTERNALDATE)"))[0]

# Two sessions see each other's changes, and numbers stay right.
other = connect()
assert ok(other.select("INBOX")) == [b"3"]
assert ok(imap.select("INBOX")) == [b"3"]
ok(imap.store("1", "+FLAGS", "(\\Deleted)"))
assert ok(imap.expunge()) == [b"1"]
ok(other.noop())
assert other.response("EXPUNGE")[1] == [b"1"], other.untagged_responses
assert ok(other.search(None, "SUBJECT", '"three"')) == [b"2"]
ok(imap.uid("MOVE", ok(imap.uid("SEARCH", None, "ALL"))[0].split()[0].decode(), "Trash"))
ok(other.noop())
assert ok(other.search(None, "ALL")) == [b"1"]

ok(imap.close())
ok(imap.delete("Garten"))
assert not any(b"Garten" in line for line in ok(imap.list()))
imap.logout()
other.logout()
print("all is well")
