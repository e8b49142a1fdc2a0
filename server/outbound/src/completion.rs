//! A submitted header: whose names may stand in it, and what is added and taken away (RFC 6409 6.1, 8).

use std::collections::HashSet;

use mailstead_auth::check;
use mailstead_inbound::Refusal;
use mailstead_message::header::{self, AuthorsError};
use mailstead_message::{Address, Domain};
use mailstead_smtp::Reply;
use mailstead_store::StoreError;

/// Authors of one message, more than which nobody writes together.
const MAX_AUTHORS: usize = 100;

/// What a header is completed with.
#[derive(Debug, Clone)]
pub(crate) struct Completion {
    /// Our host name.
    pub(crate) hostname: String,
    /// The message's trace.
    pub(crate) id: String,
    /// Who it is from where it does not say.
    pub(crate) author: Address,
    /// Seconds since 1970.
    pub(crate) now: i64,
}

impl Completion {
    /// The header with `Date`, `Message-ID` and `From` where they are missing, and without what is nobody's business or
    /// claims to have been found out by us: what our own people send is not checked (RFC 8601 5).
    ///
    /// A missing `From` is added, not refused: what sends such letters is a printer or a script, which can't be told,
    /// and who logged in is known.
    pub(crate) fn complete(&self, header: &[u8]) -> Vec<u8> {
        let message_id = format!("<{}@{}>", self.id, self.hostname);
        let honest = header::without(header, |field| check::forged(field, &self.hostname));
        let complete = header::complete(&honest, &header::date(self.now), &message_id);
        if header::has(header, "From") {
            return complete;
        }
        header::prepend(&complete, format!("From: <{}>\r\n", self.author).as_bytes())
    }

    /// The domain a completed header is to be signed for: its first author's (RFC 7489 3.1, alignment).
    pub(crate) fn domain(&self, header: &[u8]) -> Domain {
        let authors = header::authors(header).unwrap_or_default();
        authors.first().unwrap_or(&self.author).domain().clone()
    }
}

/// Checks that the message claims to be from nobody but who sends it: every address in `From` and `Sender` must be
/// `own`.
///
/// # Errors
/// 550 that names the address, or 554 for a field that can't be read.
pub(crate) fn check_authors(header: &[u8], own: impl Fn(&Address) -> Result<bool, StoreError>) -> Result<(), Refusal> {
    let mut known = HashSet::new();
    for (name, claimed) in [("From", header::authors(header)), ("Sender", header::senders(header))] {
        let claimed = match claimed {
            Ok(claimed) if claimed.len() > MAX_AUTHORS => return Err(unreadable(name, "names too many people").into()),
            Ok(claimed) => claimed,
            Err(AuthorsError::Missing) if !header::has(header, name) => continue,
            Err(AuthorsError::Missing) => return Err(unreadable(name, "names nobody").into()),
            Err(AuthorsError::Several) => return Err(unreadable(name, "is there more than once").into()),
            Err(AuthorsError::Malformed) => return Err(unreadable(name, "has an address that is not valid").into()),
        };
        for address in claimed {
            if known.insert(address.key()) && !own(&address)? {
                return Err(not_yours(&address).into());
            }
        }
    }
    Ok(())
}

/// The refusal of a sender's address that is someone else's.
pub(crate) fn not_yours(address: &Address) -> Reply {
    Reply::new(550, (5, 7, 1), format!("you may not send as {address}: it is not an address of your account"))
}

fn unreadable(name: &str, what: &str) -> Reply {
    Reply::new(554, (5, 6, 0), format!("the message's {name} field {what}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn completion() -> Completion {
        Completion {
            hostname: "mail.home.test".into(),
            id: "0000000000001".into(),
            author: Address::parse("alice@home.test").unwrap(),
            now: 0,
        }
    }

    fn completed(header: &str) -> String {
        String::from_utf8(completion().complete(header.as_bytes())).unwrap()
    }

    #[test]
    fn what_is_missing_is_added_and_what_is_private_removed() {
        let date = "Date: Thu, 01 Jan 1970 00:00:00 +0000\r\n";
        let id = "Message-ID: <0000000000001@mail.home.test>\r\n";
        let to = "To: Recipients not shown:;\r\n";
        for (header, expected) in [
            ("Subject: x\r\n\r\n", format!("From: <alice@home.test>\r\n{id}{date}{to}Subject: x\r\n\r\n")),
            ("\r\n", format!("From: <alice@home.test>\r\n{id}{date}{to}\r\n")),
            ("", format!("From: <alice@home.test>\r\n{id}{date}{to}\r\n")),
            (
                "Date: d\r\nBcc: bob@world.test,\r\n carol@home.test\r\nReturn-Path: <x>\r\nfrom: a@b.test\r\n\
                 Message-id: <m>\r\n\r\n",
                format!("{to}Date: d\r\nfrom: a@b.test\r\nMessage-id: <m>\r\n\r\n"),
            ),
            (
                "Authentication-Results: Mail.home.test;\r\n dmarc=pass header.from=bank.test\r\nDate: d\r\n\
                 Authentication-Results: mx.far.test; spf=pass\r\nFrom: a@b.test\r\nMessage-ID: <m>\r\nTo: c@d.test\r\n\r\n",
                "Date: d\r\nAuthentication-Results: mx.far.test; spf=pass\r\nFrom: a@b.test\r\nMessage-ID: <m>\r\n\
                 To: c@d.test\r\n\r\n"
                    .to_owned(),
            ),
        ] {
            assert_eq!(completed(header), expected, "{header:?}");
        }
    }

    #[test]
    fn every_name_a_message_is_sent_in_must_be_ones_own() {
        let own = |address: &Address| Ok(matches!(address.key().as_str(), "alice@home.test" | "al@home.test"));
        let check = |header: &str| {
            check_authors(header.as_bytes(), own).map_err(|refusal| {
                let reply = refusal.reply();
                (reply.code, reply.lines[0].clone())
            })
        };
        for header in [
            "From: Alice <alice@home.test>\r\n\r\n",
            "From: ALICE@Home.test, al@home.test\r\nSender: al@home.test\r\n\r\n",
            "From: Us: alice@home.test;\r\n\r\n",
            "Subject: no From\r\n\r\n",
        ] {
            assert_eq!(check(header), Ok(()), "{header}");
        }
        let foreign =
            |address: &str| (550, format!("you may not send as {address}: it is not an address of your account"));
        for (header, refused) in [
            ("From: bob@world.test\r\n\r\n", foreign("bob@world.test")),
            ("From: alice@home.test, bob@world.test\r\n\r\n", foreign("bob@world.test")),
            ("From: \"alice@home.test\" <bob@world.test>\r\n\r\n", foreign("bob@world.test")),
            ("From: alice@home.test\r\nSender: bob@world.test\r\n\r\n", foreign("bob@world.test")),
            (
                "From: alice@home.test\r\nfrom : bob@world.test\r\n\r\n",
                (554, "the message's From field is there more than once".into()),
            ),
            ("From: \r\n\r\n", (554, "the message's From field names nobody".into())),
            ("From: alice\r\n\r\n", (554, "the message's From field has an address that is not valid".into())),
            ("Sender: \r\n\r\n", (554, "the message's Sender field names nobody".into())),
        ] {
            assert_eq!(check(header), Err(refused), "{header}");
        }
        let many: Vec<String> = (0..=MAX_AUTHORS).map(|number| format!("a{number}@home.test")).collect();
        assert_eq!(check(&format!("From: {}\r\n\r\n", many.join(","))).unwrap_err().0, 554);
    }

    #[test]
    fn trouble_of_the_store_is_temporary() {
        let broken = |_: &Address| Err(StoreError::Io("broken".into()));
        let refusal = check_authors(b"From: a@b.test\r\n\r\n", broken).unwrap_err();
        assert!(refusal.reply().is_temporary());
    }
}
