//! What we write ourselves: receipts for what was delivered (RFC 3461 6.2), and how any such report is sent.

use mailstead_message::dsn::{Action, Recipient, Report};
use mailstead_message::report::ReportKind;
use mailstead_message::{Address, Domain, TraceId};
use mailstead_smtp::server::{Body, MailFrom};
use mailstead_store::{
    Acceptance, Brought, Came, Direction, Fate, NewRecipient, Notify, Prepared, Route, StoreError, StoryEvent,
    Timestamp,
};

use crate::reports::Bringer;
use crate::way::{Lead, Way};
use crate::{Letter, Signing, story};

/// How what we write ourselves came.
const OURS: Came = Came { direction: Direction::Own, has_sender: false, refused: None };

/// A message of our own.
#[derive(Debug)]
pub struct Post<'a> {
    /// To whom it goes.
    pub to: &'a Address,
    /// Where failure would be told, null for what answers a message: no notice is ever asked for.
    pub reverse_path: Option<&'a Address>,
    /// The domain its From is in, when that is ours: it is signed in its name.
    pub author: Option<&'a Domain>,
    /// The whole message.
    pub message: &'a [u8],
    /// It needs SMTPUTF8 even if the address does not.
    pub smtputf8: bool,
    /// Its own trace.
    pub trace: TraceId,
    /// Now.
    pub at: Timestamp,
    /// The first sentence of its story.
    pub told: String,
}

/// Makes a message of ours ready to be stored. `None` when the address is ours and leads nowhere. Costs CPU.
///
/// # Errors
/// The store can't be read, or has no room.
pub fn post(signing: &Signing, post: Post<'_>) -> Result<Option<Acceptance>, StoreError> {
    let route = signing.store().route(post.to)?;
    send(signing, post, route)
}

fn send(signing: &Signing, post: Post<'_>, route: Route) -> Result<Option<Acceptance>, StoreError> {
    let mut way = Way::new(post.reverse_path.cloned());
    let never = Notify { never: true, ..Notify::default() };
    let recipient = NewRecipient { address: post.to.clone(), orcpt: None, notify: Some(never) };
    let Some(lead) = way.add(recipient, route) else { return Ok(None) };
    let signed = match post.author {
        Some(domain) => signing.sign_message(domain, post.message, post.at)?,
        None => post.message.to_vec(),
    };
    if let Some(kind) = lead.reports {
        return report_to_us(signing, &post, kind, signed).map(Some);
    }
    let Some(bundle) = way.into_bundles().next() else { return Ok(None) };
    let message = bundle.head(&signed);
    let from = MailFrom { smtputf8: post.smtputf8, reverse_path: post.reverse_path.cloned(), ..MailFrom::default() };
    let told = StoryEvent::new(post.at, post.told, vec![post.to.clone()]);
    let story = vec![told.meaning(Some(OURS), story::fates(&lead, false))];
    Ok(Some(Acceptance {
        queue: bundle.queue(&from, &message, !message.is_ascii()),
        message: Prepared::from_bytes(&message)?,
        received: post.at,
        deliveries: bundle.into_deliveries(),
        report: None,
        trace: post.trace,
        story,
    }))
}

/// What we report about a domain of our own: it takes the same way as anybody's report on it.
fn report_to_us(
    signing: &Signing,
    post: &Post<'_>,
    kind: ReportKind,
    message: Vec<u8>,
) -> Result<Acceptance, StoreError> {
    let letter =
        Letter::open(Body::Memory(message)).map_err(|refused| StoreError::Invalid(refused.reply().to_string()))?;
    let (from, proved) = (post.reverse_path.cloned(), post.author.cloned());
    let brought = Brought { at: post.at, trace: post.trace, from, proved };
    let bringer = Bringer { letter: &letter, kind, domain: post.to.domain(), brought };
    let taken = bringer.take(signing.store())?;
    let event = |text| StoryEvent::new(post.at, text, vec![post.to.clone()]);
    Ok(Acceptance {
        message: Prepared::from_bytes(&[])?,
        received: post.at,
        deliveries: Vec::new(),
        queue: Vec::new(),
        report: taken.report,
        trace: post.trace,
        story: vec![
            event(post.told.clone()).meaning(Some(OURS), vec![(post.to.clone(), Fate::Read)]),
            event(taken.told),
        ],
    })
}

/// A notice to the sender of a message on what became of it for some recipients.
pub(crate) struct Notice<'a> {
    pub(crate) hostname: &'a str,
    pub(crate) from: &'a MailFrom,
    pub(crate) sender: &'a Address,
    /// The notice's own trace.
    pub(crate) trace: TraceId,
    pub(crate) at: Timestamp,
    /// The message's header.
    pub(crate) header: &'a [u8],
    /// The recipients it is about.
    pub(crate) recipients: Vec<Recipient<'a>>,
    /// The first sentence of its story.
    pub(crate) told: String,
}

impl Notice<'_> {
    /// The notice, ready to be stored; `None` when the sender's address leads nowhere.
    pub(crate) fn make(self, signing: &Signing, route: Route) -> Result<Option<Acceptance>, StoreError> {
        let id = self.trace.to_string();
        let author = signing.writing_domain(self.hostname, self.sender)?;
        let report = Report {
            hostname: self.hostname,
            domain: author.as_ref().map_or(self.hostname, Domain::as_str),
            id: &id,
            to: self.sender,
            now: self.at.0,
            arrived: self.at.0,
            envelope_id: self.from.envid.as_deref(),
            recipients: self.recipients,
            original: self.header,
            // The body is not at hand, and need not be returned (RFC 3461 4.3: a wish, for failures alone).
            full: false,
            smtputf8: self.sender.needs_smtputf8(),
        };
        let post = Post {
            to: self.sender,
            reverse_path: None,
            author: author.as_ref(),
            message: &report.compose(),
            smtputf8: report.smtputf8,
            trace: self.trace,
            at: self.at,
            told: self.told,
        };
        send(signing, post, route)
    }
}

/// What a receipt says of a recipient.
pub(crate) fn about(lead: &Lead) -> Recipient<'_> {
    let (action, explanation) = if lead.forwards.is_empty() {
        (Action::Delivered, "The message was delivered.")
    } else {
        (Action::Expanded, "The address stands for several others, and the message was sent on to them.")
    };
    Recipient {
        address: &lead.recipient.address,
        original: lead.recipient.orcpt.as_ref().map(|(kind, address)| (kind.as_str(), address.as_str())),
        action,
        status: (2, 0, 0),
        explanation,
        remote: None,
        diagnostic: None,
        last_attempt: None,
        retry_until: None,
    }
}
