//! What we write ourselves: receipts for what was delivered (RFC 3461 6.2), and how any such report is sent.

use mailstead_message::dsn::{Action, Recipient, Report};
use mailstead_message::{Address, Domain, ReversePath, TraceId};
use mailstead_smtp::server::MailFrom;
use mailstead_store::{Acceptance, NewRecipient, Notify, Prepared, Route, StoreError, StoryEvent, Timestamp};

use crate::{Lead, Signing, Way};

/// A message of our own: from the null reverse-path, so that nothing ever comes back on it.
#[derive(Debug)]
pub struct Post<'a> {
    /// To whom it goes.
    pub to: &'a Address,
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
    let mut way = Way::new(ReversePath::None);
    let never = Notify { never: true, ..Notify::default() };
    let recipient = NewRecipient { address: post.to.clone(), orcpt: None, notify: Some(never) };
    if way.add(recipient, route).is_none() {
        return Ok(None);
    }
    let Some(bundle) = way.into_bundles().next() else { return Ok(None) };
    let signed = match post.author {
        Some(domain) => signing.sign_message(domain, post.message, post.at)?,
        None => post.message.to_vec(),
    };
    let message = bundle.head(&signed);
    let from = MailFrom { smtputf8: post.smtputf8, ..MailFrom::default() };
    let story = vec![StoryEvent { at: post.at, text: post.told, addresses: vec![post.to.clone()] }];
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

/// What a receipt is about.
pub(crate) struct Receipt<'a> {
    pub(crate) hostname: &'a str,
    pub(crate) from: &'a MailFrom,
    pub(crate) sender: &'a Address,
    /// The message's trace.
    pub(crate) about: TraceId,
    /// The receipt's own.
    pub(crate) trace: TraceId,
    pub(crate) at: Timestamp,
    /// The message's header.
    pub(crate) header: &'a [u8],
    /// The recipients it is about.
    pub(crate) leads: &'a [&'a Lead],
}

impl Receipt<'_> {
    /// The receipt, ready to be stored; `None` when the sender's address leads nowhere.
    pub(crate) fn make(&self, signing: &Signing, route: Route) -> Result<Option<Acceptance>, StoreError> {
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
            recipients: self.leads.iter().map(|lead| about(lead)).collect(),
            original: self.header,
            // RET is about failures alone (RFC 3461 4.3).
            full: false,
            smtputf8: self.sender.needs_smtputf8(),
        };
        let post = Post {
            to: self.sender,
            author: author.as_ref(),
            message: &report.compose(),
            smtputf8: report.smtputf8,
            trace: self.trace,
            at: self.at,
            told: format!("This is our receipt to {} for message {}, as was asked for.", self.sender, self.about),
        };
        send(signing, post, route)
    }
}

fn about(lead: &Lead) -> Recipient<'_> {
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
