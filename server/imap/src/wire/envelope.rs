//! ENVELOPE (RFC 3501 7.4.2).

use mailstead_message::summary::{Envelope, Mailbox};

use super::encode::{nstring, string};

/// Writes an envelope with its parentheses.
pub(crate) fn write(envelope: &Envelope, out: &mut Vec<u8>) {
    out.push(b'(');
    nstring(envelope.date.as_deref(), out);
    out.push(b' ');
    nstring(envelope.subject.as_deref(), out);
    for list in [&envelope.from, &envelope.sender, &envelope.reply_to, &envelope.to, &envelope.cc, &envelope.bcc] {
        out.push(b' ');
        addresses(list, out);
    }
    out.push(b' ');
    nstring(envelope.in_reply_to.as_deref(), out);
    out.push(b' ');
    nstring(envelope.message_id.as_deref(), out);
    out.push(b')');
}

fn addresses(list: &[Mailbox], out: &mut Vec<u8>) {
    if list.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    out.push(b'(');
    for address in list {
        out.push(b'(');
        nstring(address.name.as_deref(), out);
        // The source route, which nobody has written for decades.
        out.extend_from_slice(b" NIL ");
        match (&address.mailbox, &address.host) {
            (None, None) => out.extend_from_slice(b"NIL NIL"),
            (mailbox, Some(host)) => {
                string(mailbox.as_deref().unwrap_or_default(), out);
                out.push(b' ');
                string(host, out);
            }
            (Some(group), None) => {
                string(group, out);
                out.extend_from_slice(b" NIL");
            }
        }
        out.push(b')');
    }
    out.push(b')');
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use super::*;

    fn written(envelope: &Envelope) -> String {
        let mut out = Vec::new();
        write(envelope, &mut out);
        String::from_utf8_lossy(&out).into_owned()
    }

    fn mailbox(name: Option<&str>, mailbox: Option<&str>, host: Option<&str>) -> Mailbox {
        let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
        Mailbox { name: bytes(name), mailbox: bytes(mailbox), host: bytes(host) }
    }

    #[test]
    fn an_empty_envelope_is_all_nil() {
        assert_eq!(written(&Envelope::default()), "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)");
    }

    #[test]
    fn the_envelope_of_the_rfc_is_written_as_there() {
        let terry = vec![mailbox(Some("Terry Gray"), Some("gray"), Some("cac.washington.edu"))];
        let envelope = Envelope {
            date: Some(b"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)".to_vec()),
            subject: Some(b"IMAP4rev1 WG mtg summary and minutes".to_vec()),
            from: terry.clone(),
            sender: terry.clone(),
            reply_to: terry,
            to: vec![mailbox(None, Some("imap"), Some("cac.washington.edu"))],
            cc: vec![
                mailbox(None, Some("minutes"), Some("CNRI.Reston.VA.US")),
                mailbox(Some("John Klensin"), Some("KLENSIN"), Some("MIT.EDU")),
            ],
            message_id: Some(b"<B27397-0100000@cac.washington.edu>".to_vec()),
            ..Envelope::default()
        };
        let gray = r#"(("Terry Gray" NIL "gray" "cac.washington.edu"))"#;
        let cc = r#"((NIL NIL "minutes" "CNRI.Reston.VA.US")("John Klensin" NIL "KLENSIN" "MIT.EDU"))"#;
        assert_eq!(
            written(&envelope),
            format!(
                "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" {gray} {gray} \
                 {gray} ((NIL NIL \"imap\" \"cac.washington.edu\")) {cc} NIL NIL \"<B27397-0100000@cac.washington.edu>\")"
            )
        );
    }

    #[test]
    fn groups_and_rubbish_keep_the_stream_parseable() {
        let to =
            vec![mailbox(None, Some("friends"), None), mailbox(None, Some("a"), Some("b")), mailbox(None, None, None)];
        let envelope = Envelope { subject: Some(b"\xff\"".to_vec()), to, ..Envelope::default() };
        let wire = written(&envelope);
        assert!(wire.contains(r#"((NIL NIL "friends" NIL)(NIL NIL "a" "b")(NIL NIL NIL NIL))"#), "{wire}");
        assert!(wire.starts_with("(NIL {2}\r\n"), "{wire}");
    }
}
