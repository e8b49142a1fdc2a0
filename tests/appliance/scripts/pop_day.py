# A day of POP3 with Python's poplib: STLS, listing, TOP, UIDL, and deletions that count only at QUIT.
import poplib, ssl, sys

port, ca, user, password = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]
tls = ssl.create_default_context(cafile=ca)


def connect():
    pop = poplib.POP3("localhost", port, timeout=30)
    try:
        pop.user(user)
        pop.pass_(password)
        raise AssertionError("a login in clear text was allowed")
    except poplib.error_proto:
        pass
    assert "STLS" in pop.capa(), pop.capa()
    pop.stls(tls)
    pop.user(user)
    pop.pass_(password)
    return pop


pop = connect()
capabilities = pop.capa()
for name in ["UIDL", "TOP", "PIPELINING", "USER", "SASL"]:
    assert name in capabilities, capabilities
count, size = pop.stat()
assert count == 3, count
listing = [int(line.split()[1]) for line in pop.list()[1]]
assert sum(listing) == size, (listing, size)
uidl = [line.split()[1] for line in pop.uidl()[1]]
assert len(set(uidl)) == 3, uidl
lines = pop.retr(1)[1]
assert len(b"\r\n".join(lines)) + 2 == listing[0], (lines, listing)
assert lines[-3:] == [b".", b".hidden", b"The last one."], lines
top = pop.top(1, 1)[1]
assert top[-1] == b"A line." and top[-2] == b"", top

pop.dele(2)
try:
    pop.retr(2)
    raise AssertionError("a deleted message was given out")
except poplib.error_proto:
    pass
pop.rset()
assert pop.stat()[0] == 3

# A connection that breaks before QUIT deletes nothing.
pop.dele(1)
pop.close()
pop = connect()
assert pop.stat()[0] == 3, pop.stat()
assert [line.split()[1] for line in pop.uidl()[1]] == uidl
pop.dele(2)
pop.quit()
pop = connect()
assert [line.split()[1] for line in pop.uidl()[1]] == [uidl[0], uidl[2]]
pop.quit()
print("all is well")
