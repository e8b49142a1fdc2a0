//! The sentences of a message's story, and what of a stranger's doings is written down at all.

use std::time::{Duration, Instant};

use mailstead_message::{Address, ReversePath, TraceId};
use mailstead_smtp::Reply;
use mailstead_smtp::server::{Client, MailFrom, RcptTo};
use mailstead_store::{Came, Direction, Fate, Store, StoryEvent, Timestamp, Verdict};

use crate::ration::Ration;
use crate::returns::is_return_path;
use crate::way::Lead;

/// What was refused is told for so many at once ...
const TOLD_AT_ONCE: u32 = 300;
/// ... and one more after each of these: a month of somebody guessing addresses stays under 200 MB of stories. The log
/// has them all.
const TOLD_EVERY: Duration = Duration::from_secs(5);
/// Where suspicious letters are.
pub(crate) const JUNK: &str = "Junk";
/// Characters of a Message-ID that are repeated.
const MAX_MESSAGE_ID: usize = 200;

/// Tells of what was not taken.
#[derive(Debug)]
pub(crate) struct Refusals {
    ration: Ration,
}

impl Default for Refusals {
    fn default() -> Self {
        Self { ration: Ration::new(TOLD_AT_ONCE, TOLD_EVERY) }
    }
}

impl Refusals {
    /// Tells it, if there have not been too many lately.
    pub(crate) fn tell(&self, store: &Store, trace: TraceId, event: StoryEvent) {
        if self.ration.take(Instant::now()) {
            store.tell(trace, vec![event]);
        }
    }

    /// The same with the verdict for which it was not taken.
    pub(crate) fn tell_judged(&self, store: &Store, trace: TraceId, event: StoryEvent, verdict: Verdict) {
        if self.ration.take(Instant::now()) {
            store.tell_judged(trace, vec![event], verdict);
        }
    }
}

/// How a message came, and the addresses of the event that tells it: its sender's and its recipients'.
fn came<'a>(
    client: &Client,
    from: &'a MailFrom,
    to: impl Iterator<Item = &'a Address>,
    refused: Option<&Reply>,
) -> (Came, Vec<Address>) {
    let came = Came {
        direction: if client.identity.is_some() { Direction::Out } else { Direction::In },
        has_sender: from.reverse_path.is_some(),
        refused: refused.map(|reply| (reply.code, reply.status)),
    };
    (came, from.reverse_path.iter().chain(to).cloned().collect())
}

/// The same fate for all.
fn all<'a>(addresses: impl IntoIterator<Item = &'a Address>, fate: Fate) -> Vec<(Address, Fate)> {
    addresses.into_iter().map(|address| (address.clone(), fate)).collect()
}

/// The time by the system's clock.
pub(crate) fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_second())
}

/// A reverse-path as SMTP writes it.
pub(crate) fn path(reverse_path: &ReversePath) -> String {
    format!("<{}>", reverse_path.as_ref().map(ToString::to_string).unwrap_or_default())
}

/// The recipients' addresses, for a sentence.
pub(crate) fn list<'a>(addresses: impl IntoIterator<Item = &'a Address>) -> String {
    addresses.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Who came, how, and in whose name: `mx.world.test [192.0.2.7] came over TLSv1.3 (…) with mail from <bob@world.test>`.
pub(crate) fn visit(client: &Client, from: &MailFrom) -> String {
    let ip = client.peer.remote.ip().to_canonical();
    let helo = client.helo.escape_debug();
    let who = match &client.identity {
        Some(identity) => format!("{} logged in from [{ip}] ({helo})", identity.address),
        None => format!("{helo} [{ip}] came"),
    };
    let tls = match &client.tls {
        Some(tls) => format!("over {} ({})", tls.version, tls.cipher),
        None => "without TLS".to_owned(),
    };
    format!("{who} {tls} with mail from {}", path(&from.reverse_path))
}

/// A recipient was refused.
pub(crate) fn refused_recipient(client: &Client, from: &MailFrom, to: &RcptTo, reply: &Reply) -> StoryEvent {
    let text = format!("{} for {}, who was refused: \"{reply}\".", visit(client, from), to.address);
    let (came, addresses) = came(client, from, [&to.address].into_iter(), Some(reply));
    StoryEvent::new(now(), text, addresses).meaning(Some(came), all([&to.address], Fate::Refused))
}

/// A message was refused, or its transaction refused before it.
pub(crate) fn refused_message(client: &Client, from: &MailFrom, to: &[Address], reply: &Reply) -> StoryEvent {
    let whom = if to.is_empty() { String::new() } else { format!(" for {}", list(to)) };
    let text = format!("{}{whom}; it was refused: \"{reply}\".", visit(client, from));
    let (came, addresses) = came(client, from, to.iter(), Some(reply));
    StoryEvent::new(now(), text, addresses).meaning(Some(came), all(to, Fate::Refused))
}

/// A transaction came to nothing.
pub(crate) fn abandoned(client: &Client, from: &MailFrom, to: &[RcptTo], why: &str) -> StoryEvent {
    let to = to.iter().map(|to| &to.address);
    let text = format!("{} for {}; it was not taken: {}.", visit(client, from), list(to.clone()), why.escape_debug());
    let (came, addresses) = came(client, from, to.clone(), None);
    StoryEvent::new(now(), text, addresses).meaning(Some(came), all(to, Fate::Abandoned))
}

/// A message was taken, with what becomes of it for each recipient; inboxes are said to be in `place`.
pub(crate) fn accepted(
    client: &Client,
    from: &MailFrom,
    size: u64,
    message_id: Option<&str>,
    (leads, place): (&[Lead], &str),
    at: Timestamp,
) -> Vec<StoryEvent> {
    let (came, addresses) = came(client, from, leads.iter().map(|lead| &lead.recipient.address), None);
    let id = message_id.map_or_else(
        || "It has no Message-ID".to_owned(),
        |id| format!("Its Message-ID is {}", id.chars().take(MAX_MESSAGE_ID).collect::<String>().escape_debug()),
    );
    let text = format!("{}, {size} octets. {id}. It was accepted.", visit(client, from));
    let mut events = vec![StoryEvent::new(at, text, addresses).meaning(Some(came), Vec::new())];
    events.extend(
        leads.iter().map(|lead| {
            StoryEvent::new(at, lead_to(lead, place), led_to(lead)).meaning(None, fates(lead, place == JUNK))
        }),
    );
    events
}

/// What becomes of it where a recipient leads.
pub(crate) fn fates(lead: &Lead, is_junk: bool) -> Vec<(Address, Fate)> {
    if lead.reports.is_some() {
        return all([&lead.recipient.address], Fate::Read);
    }
    let mut fates = all(&lead.inboxes, if is_junk { Fate::Junk } else { Fate::Stored });
    fates.extend(all(&lead.forwards, Fate::Waiting));
    if fates.is_empty() { all([&lead.recipient.address], Fate::Waiting) } else { fates }
}

fn lead_to(lead: &Lead, place: &str) -> String {
    let to = &lead.recipient.address;
    if is_return_path(to) {
        let original = list(lead.inboxes.iter().chain(&lead.forwards));
        return format!("{to} stands for {original}, whose letter was sent on from here: the report goes there.");
    }
    if lead.reports.is_some() {
        return format!("{to} takes reports about our domains.");
    }
    match (lead.inboxes.as_slice(), lead.forwards.as_slice()) {
        ([], []) => format!("For {to} it is in the queue."),
        (inboxes, []) => format!("For {to} it is in {place} of {}.", list(inboxes)),
        ([], forwards) => format!("{to} is an alias: it is in the queue for {}.", list(forwards)),
        (inboxes, forwards) => {
            format!("{to} is an alias: it is in {place} of {}, and in the queue for {}.", list(inboxes), list(forwards))
        }
    }
}

fn led_to(lead: &Lead) -> Vec<Address> {
    let mut addresses = vec![lead.recipient.address.clone()];
    addresses.extend(lead.inboxes.iter().chain(&lead.forwards).cloned());
    addresses.dedup();
    addresses
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use mailstead_net::sasl::Bindings;
    use mailstead_net::{Peer, TlsInfo};
    use mailstead_smtp::server::Identity;
    use mailstead_store::NewRecipient;

    use super::*;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn client(helo: &str) -> Client {
        let peer = Peer { remote: "[::ffff:192.0.2.7]:4711".parse().unwrap(), local: "192.0.2.1:25".parse().unwrap() };
        Client { peer, helo: helo.to_owned(), esmtp: true, tls: None, identity: None }
    }

    fn from(text: &str) -> MailFrom {
        MailFrom { reverse_path: Address::parse(text).ok(), ..MailFrom::default() }
    }

    #[test]
    fn a_visit_names_host_address_tls_and_sender() {
        let mut client = client("mx.world.test");
        assert_eq!(
            visit(&client, &from("bob@world.test")),
            "mx.world.test [192.0.2.7] came without TLS with mail from <bob@world.test>"
        );
        client.tls = Some(TlsInfo {
            version: "TLSv1.3".into(),
            cipher: "TLS_X".into(),
            server_name: None,
            bindings: Bindings::default(),
        });
        client.identity = Some(Identity { account: 1, address: address("alice@home.test") });
        assert_eq!(
            visit(&client, &from("")),
            "alice@home.test logged in from [192.0.2.7] (mx.world.test) over TLSv1.3 (TLS_X) with mail from <>"
        );
    }

    #[test]
    fn a_hostile_name_makes_no_line_of_its_own() {
        let client = client("evil\r\n\u{1b}[2J");
        let to = RcptTo { address: address("alice@home.test"), notify: None, orcpt: None };
        let reply = Reply::new(550, (5, 1, 1), "no\r\nsuch");
        for text in [
            refused_recipient(&client, &from(""), &to, &reply),
            refused_message(&client, &from(""), &[], &reply),
            abandoned(&client, &from(""), &[to], "because\r\nof this"),
            accepted(&client, &from(""), 1, Some("<a\r\n\0b>"), (&[], "the inbox"), Timestamp(0)).remove(0),
        ] {
            let text = text.text;
            assert!(!text.contains(char::is_control), "{text:?}");
        }
    }

    #[test]
    fn each_recipients_fate_is_told_under_its_addresses() {
        let lead = |inboxes: &[&str], forwards: &[&str]| Lead {
            recipient: NewRecipient { address: address("family@home.test"), orcpt: None, notify: None },
            inboxes: inboxes.iter().map(|text| address(text)).collect(),
            forwards: forwards.iter().map(|text| address(text)).collect(),
            reports: None,
        };
        for (inboxes, forwards, text, addresses) in [
            (&[][..], &[][..], "For family@home.test it is in the queue.", 1),
            (&["a@home.test"], &[], "For family@home.test it is in the inbox of a@home.test.", 2),
            (&[], &["x@far.test"], "family@home.test is an alias: it is in the queue for x@far.test.", 2),
            (
                &["a@home.test", "b@home.test"],
                &["x@far.test"],
                "family@home.test is an alias: it is in the inbox of a@home.test, b@home.test, and in the queue for \
                 x@far.test.",
                4,
            ),
        ] {
            let events = accepted(
                &client("h"),
                &from("bob@world.test"),
                9,
                None,
                (&[lead(inboxes, forwards)], "the inbox"),
                Timestamp(7),
            );
            assert_eq!(events.len(), 2);
            assert_eq!(events[0].addresses, [address("bob@world.test"), address("family@home.test")]);
            assert_eq!((events[1].text.as_str(), events[1].addresses.len()), (text, addresses));
        }
    }
}
