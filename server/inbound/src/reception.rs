//! What the houses behind port 25 and behind submission do alike: ask where recipients lead, take a message in, tell
//! its story.

mod judged;
mod left_out;

use std::sync::Arc;
use std::time::{Duration, Instant};

use mailstead_message::dsn::Recipient;
use mailstead_message::received::{From, Protocol, Received};
use mailstead_message::report::ReportKind;
use mailstead_message::{Address, TraceId, header};
use mailstead_net::Gate;
use mailstead_smtp::Reply;
use mailstead_smtp::server::{Body, Client, Envelope, MailFrom, RcptTo};
use mailstead_store::{Acceptance, Brought, Prepared, Route, Store, StoreError, StoryEvent, Timestamp};
use tokio::sync::Semaphore;

use crate::forwarding::{Forwarding, Found};
use crate::ration::Ration;
use crate::receipt::{self, Notice};
use crate::reports::Bringer;
use crate::routing::Room;
use crate::story::{self, Refusals};
use crate::way::{Lead, Way, recipient};
use crate::{Judgement, Letter, Refusal, Signing, trouble};

/// Messages up to this size are prepared where they are: moving them to another thread costs as much.
const PREPARED_IN_PLACE: u64 = 32 << 10;
/// For that, they may have so many recipients: each may be an alias whose copy is sealed, which takes a millisecond.
const FEW: usize = 10;
/// Larger ones prepared at once: each takes a processor and some megabytes.
const PREPARED_AT_ONCE: usize = 4;
/// Letters read as reports at once: whoever sends bombs shall wait for each other, and nobody for them.
const REPORTS_AT_ONCE: usize = 1;
/// Receipts to people we can't be sure asked for them: so many at once ...
const RECEIPTS_AT_ONCE: u32 = 20;
/// ... and one more after each of these, so that nobody can use us to flood another (RFC 3461 10.2).
const RECEIPTS_EVERY: Duration = Duration::from_secs(60);

/// A receipt takes less than this beyond the header it returns.
const RECEIPT_ROOM: u64 = 64 << 10;

/// What a house must know of itself.
#[derive(Debug, Clone)]
pub struct Policy {
    /// Our host name, for Received.
    pub hostname: String,
    /// Received fields beyond which a message is a loop.
    pub max_received: usize,
}

/// Whether mail for other domains is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relay {
    /// Never: whoever may connect is a stranger.
    Never,
    /// From those who have logged in.
    LoggedIn,
}

/// What is made of a letter before it is stored.
#[derive(Debug)]
pub struct Edited {
    /// The header to be kept instead of its own.
    pub header: Vec<u8>,
    /// What was found out about it: aliases that send it on vouch for that.
    pub found: Option<Found>,
    /// Sentences for its story.
    pub told: Vec<String>,
}

/// Takes messages in. Cheap to clone.
#[derive(Clone)]
pub struct Reception {
    signing: Signing,
    policy: Arc<Policy>,
    gate: Arc<Gate>,
    pub(crate) relay: Relay,
    refusals: Arc<Refusals>,
    receipts: Arc<Ration>,
    preparing: Arc<Semaphore>,
    reading_reports: Arc<Semaphore>,
}

/// A message under way from the session to the store.
struct Arrival {
    reception: Reception,
    client: Client,
    envelope: Envelope,
    at: Timestamp,
    /// What was found out about a stranger's message.
    judgement: Option<Judgement>,
}

/// A message as it is handed over.
enum Parcel {
    Closed(Body),
    Opened(Letter),
}

impl Parcel {
    fn open(self) -> Result<Letter, Refusal> {
        match self {
            Self::Closed(body) => Letter::open(body),
            Self::Opened(letter) => Ok(letter),
        }
    }

    /// True when it is held in memory and so small that it is prepared at once.
    fn is_small(&self) -> bool {
        match self {
            Self::Closed(Body::Memory(message)) => message.len() as u64 <= PREPARED_IN_PLACE,
            Self::Closed(Body::Spooled { .. }) => false,
            Self::Opened(letter) => letter.size() <= PREPARED_IN_PLACE,
        }
    }
}

impl Reception {
    /// A reception for one kind of port.
    pub fn new(store: Store, policy: Policy, gate: Arc<Gate>, relay: Relay) -> Self {
        Self {
            signing: Signing::new(store),
            policy: Arc::new(policy),
            gate,
            relay,
            refusals: Arc::default(),
            receipts: Arc::new(Ration::new(RECEIPTS_AT_ONCE, RECEIPTS_EVERY)),
            preparing: Arc::new(Semaphore::new(PREPARED_AT_ONCE)),
            reading_reports: Arc::new(Semaphore::new(REPORTS_AT_ONCE)),
        }
    }

    /// The store behind it.
    pub fn store(&self) -> &Store {
        self.signing.store()
    }

    /// What signs in our domains' names.
    pub fn signing(&self) -> &Signing {
        &self.signing
    }

    /// What it knows of its house.
    pub fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The guard against guessing passwords.
    pub fn gate(&self) -> &Gate {
        &self.gate
    }

    /// A new trace id.
    pub fn trace(&self) -> TraceId {
        TraceId::new(u64::try_from(story::now().0).unwrap_or(0), rand::random())
    }

    /// Turns away networks that guess passwords.
    ///
    /// # Errors
    /// 421: the ban ends, and mail may come then.
    pub fn greet(&self, client: &Client) -> Result<(), Reply> {
        if self.gate.is_banned(client.peer.remote.ip()) {
            return Err(Reply::new(421, (4, 7, 0), "too many wrong passwords from your network, come back later"));
        }
        Ok(())
    }

    /// Judges a recipient.
    ///
    /// # Errors
    /// The refusal, which has been told.
    pub fn judge(&self, client: &Client, trace: TraceId, from: &MailFrom, to: &RcptTo) -> Result<(), Reply> {
        let route = self.route(from, &to.address);
        let judged = route.and_then(|route| self.may_receive(client, &to.address, &route, from.size.unwrap_or(0)));
        judged.map_err(|refusal| {
            let reply = refusal.reply();
            log(client, trace, from, &to.address.to_string(), "recipient", &refusal);
            self.refusals.tell(self.store(), trace, story::refused_recipient(client, from, to, &reply));
            reply
        })
    }

    /// Takes a message for all its recipients, or for none. `edit` makes of its header what is to be kept of it, or
    /// refuses it; `Received` is added here. The reply is 250 only after everything is on disk.
    pub async fn take_in<E>(&self, client: &Client, envelope: Envelope, body: Body, edit: E) -> Reply
    where
        E: FnOnce(&Letter) -> Result<Edited, Refusal> + Send + 'static,
    {
        self.take(client, envelope, Parcel::Closed(body), None, edit).await
    }

    /// As [`Reception::take_in`], for a message that was judged.
    pub(crate) async fn take_in_judged<E>(
        &self,
        client: &Client,
        envelope: Envelope,
        letter: Letter,
        judgement: Option<Judgement>,
        edit: E,
    ) -> Reply
    where
        E: FnOnce(&Letter) -> Result<Edited, Refusal> + Send + 'static,
    {
        self.take(client, envelope, Parcel::Opened(letter), judgement, edit).await
    }

    async fn take<E>(
        &self,
        client: &Client,
        envelope: Envelope,
        parcel: Parcel,
        judgement: Option<Judgement>,
        edit: E,
    ) -> Reply
    where
        E: FnOnce(&Letter) -> Result<Edited, Refusal> + Send + 'static,
    {
        let verdict = judgement.as_ref().map(Judgement::record);
        let (reception, at) = (self.clone(), story::now());
        let arrival = Arrival { reception, client: client.clone(), envelope: envelope.clone(), at, judgement };
        let taken = match (self.prepare(arrival, parcel, edit).await, verdict) {
            (Ok(acceptances), Some(verdict)) => {
                self.store().accept_judged(acceptances, verdict).await.map_err(Refusal::from)
            }
            (Ok(acceptances), None) => self.store().accept(acceptances).await.map_err(Refusal::from),
            (Err(refusal), _) => Err(refusal),
        };
        let Envelope { trace, from, recipients } = envelope;
        let to: Vec<Address> = recipients.into_iter().map(|to| to.address).collect();
        match taken {
            Ok(()) => {
                let (peer, sender) = (client.peer.remote.ip(), story::path(&from.reverse_path));
                tracing::info!(%trace, %peer, sender, to = story::list(&to), "message accepted");
                Reply::new(250, (2, 0, 0), format!("accepted as {trace}"))
            }
            Err(refusal) => self.refuse(client, trace, &from, &to, &refusal),
        }
    }

    /// Tells that a transaction, or its message, was refused; gives the reply.
    pub fn refuse(&self, client: &Client, trace: TraceId, from: &MailFrom, to: &[Address], refusal: &Refusal) -> Reply {
        let reply = refusal.reply();
        log(client, trace, from, &story::list(to), "message", refusal);
        self.refusals.tell(self.store(), trace, story::refused_message(client, from, to, &reply));
        reply
    }

    /// Tells for what a message is refused that was judged.
    pub(crate) fn tell_judged(&self, trace: TraceId, judgement: &Judgement, addresses: Vec<Address>) {
        let event = StoryEvent::new(story::now(), judgement.told.join(" "), addresses);
        self.refusals.tell_judged(self.store(), trace, event, judgement.record());
    }

    /// Tells that a transaction came to nothing.
    pub fn abandoned(&self, client: &Client, trace: TraceId, from: &MailFrom, to: &[RcptTo], why: &str) {
        let (peer, sender) = (client.peer.remote.ip(), story::path(&from.reverse_path));
        tracing::info!(%trace, %peer, sender, recipients = to.len(), "transaction abandoned: {}", why.escape_debug());
        // Without an accepted recipient there was no message for anybody, and refused ones have been told.
        if !to.is_empty() {
            self.refusals.tell(self.store(), trace, story::abandoned(client, from, to, why));
        }
    }

    async fn prepare<E>(&self, arrival: Arrival, parcel: Parcel, edit: E) -> Result<Vec<Acceptance>, Refusal>
    where
        E: FnOnce(&Letter) -> Result<Edited, Refusal> + Send + 'static,
    {
        let takes_report = |to: &RcptTo| ReportKind::taken_by(to.address.local()).is_some();
        let brings_report = arrival.envelope.recipients.iter().any(takes_report);
        let is_quick = parcel.is_small() && arrival.envelope.recipients.len() <= FEW;
        if !brings_report && is_quick {
            return arrival.prepare(parcel, edit);
        }
        let queue = if brings_report { &self.reading_reports } else { &self.preparing };
        let _permit = queue.acquire().await.map_err(|_| StoreError::Closed)?;
        let prepared = tokio::task::spawn_blocking(move || arrival.prepare(parcel, edit));
        prepared.await.unwrap_or_else(|error| Err(StoreError::Io(error.to_string()).into()))
    }
}

fn log(client: &Client, trace: TraceId, from: &MailFrom, to: &str, what: &str, refusal: &Refusal) {
    let (peer, sender) = (client.peer.remote.ip(), story::path(&from.reverse_path));
    match refusal {
        // Somebody must see to it.
        Refusal::Store(error) => tracing::error!(%trace, %peer, sender, to, "{what} refused: {error}"),
        Refusal::Said(reply) => tracing::info!(%trace, %peer, sender, to, "{what} refused: {reply}"),
    }
}

impl Arrival {
    /// Everything the message becomes. Where recipients lead is asked anew: minutes may have passed.
    fn prepare<E>(&self, parcel: Parcel, edit: E) -> Result<Vec<Acceptance>, Refusal>
    where
        E: FnOnce(&Letter) -> Result<Edited, Refusal>,
    {
        let letter = parcel.open()?;
        if header::count(letter.header(), "Received") > self.reception.policy.max_received {
            return Err(
                Reply::new(554, (5, 4, 6), "the message goes in a circle: it has too many Received fields").into()
            );
        }
        let edited = edit(&letter)?;
        let head = [self.received().into_bytes(), edited.header].concat();
        let size = letter.body_size().saturating_add(head.len() as u64);
        let mut way = Way::new(self.envelope.from.reverse_path.clone());
        let (leads, left_out) = self.leads(&mut way, &letter, size)?;
        let forwarding = Forwarding::new(&self.reception, &letter, &self.envelope.from, edited.found.as_ref(), self.at);
        let mut acceptances = self.acceptances(&letter, &head, &forwarding, way)?;
        let mut told = self.story(size, &head, &leads);
        self.tell(edited.told.into_iter().chain(forwarding.into_told()).collect(), &mut told);
        self.take_report(&letter, &leads, &mut acceptances, &mut told)?;
        acceptances.extend(self.receipt(&head, &leads, &mut told)?);
        acceptances.extend(self.report_left_out(&head, &left_out, &mut told)?);
        if let Some(first) = acceptances.first_mut() {
            first.story = told;
        }
        Ok(acceptances)
    }

    fn lead(&self, way: &mut Way, to: &RcptTo, size: u64) -> Result<Lead, Refusal> {
        let route = self.reception.route(&self.envelope.from, &to.address)?;
        match self.reception.may_receive(&self.client, &to.address, &route, size) {
            // It was accepted a moment ago: on the next try it is refused for itself, and the others get theirs.
            Err(Refusal::Said(reply)) if reply.code == 550 => {
                let text = format!("{} has just gone away, try again", to.address);
                return Err(Reply::new(451, (4, 3, 0), text).into());
            }
            judged => judged?,
        }
        let lead = way.add(recipient(to), route);
        lead.ok_or_else(|| trouble(&StoreError::NotFound(to.address.to_string())).into())
    }

    fn acceptances(
        &self,
        letter: &Letter,
        head: &[u8],
        forwarding: &Forwarding<'_>,
        way: Way,
    ) -> Result<Vec<Acceptance>, StoreError> {
        let mut acceptances = Vec::new();
        let mut body_has_eight_bits = None;
        for bundle in way.into_bundles() {
            let mut head = bundle.head(head);
            let mut from = self.envelope.from.clone();
            if let Some(alias) = bundle.forwarder() {
                (head, from) = forwarding.send_on(alias, head)?;
            }
            // What the client said of BODY is not asked: a message that is ASCII can go to any server.
            let eight_bit = bundle.leaves() && {
                let body = match body_has_eight_bits {
                    Some(known) => known,
                    None => *body_has_eight_bits.insert(letter.body_has_eight_bits()?),
                };
                body || !head.is_ascii()
            };
            acceptances.push(Acceptance {
                message: letter.prepare(&head)?,
                received: self.at,
                queue: self.hush(bundle.queue(&from, &head, eight_bit)),
                deliveries: self.file(bundle.into_deliveries()),
                report: None,
                trace: self.envelope.trace,
                story: Vec::new(),
            });
        }
        Ok(acceptances)
    }

    /// Reads the report, if the message was sent to an address that takes them.
    fn take_report(
        &self,
        letter: &Letter,
        leads: &[Lead],
        acceptances: &mut Vec<Acceptance>,
        told: &mut Vec<StoryEvent>,
    ) -> Result<(), StoreError> {
        let wanted = leads.iter().find_map(|lead| Some((lead.reports?, lead.recipient.address.domain())));
        let Some((kind, domain)) = wanted else { return Ok(()) };
        let (trace, at) = (self.envelope.trace, self.at);
        let proved = self.judgement.as_ref().and_then(Judgement::proved_author).cloned();
        let brought = Brought { at, trace, from: self.envelope.from.reverse_path.clone(), proved };
        let taken = Bringer { letter, kind, domain, brought }.take(self.reception.store())?;
        self.tell(vec![taken.told], told);
        if acceptances.is_empty() {
            // Its story and the report are all that is kept.
            let message = Prepared::from_bytes(&[])?;
            let (deliveries, queue, story) = (Vec::new(), Vec::new(), Vec::new());
            acceptances.push(Acceptance { message, received: at, deliveries, queue, report: None, trace, story });
        }
        if let Some(first) = acceptances.first_mut() {
            first.report = taken.report;
        }
        Ok(())
    }

    fn story(&self, size: u64, head: &[u8], leads: &[Lead]) -> Vec<StoryEvent> {
        let id = header::value(head, "Message-ID");
        let place = if self.is_junk() { story::JUNK } else { "the inbox" };
        story::accepted(&self.client, &self.envelope.from, size, id.as_deref(), (leads, place), self.at)
    }

    /// Adds sentences to the story, under the addresses of the message itself.
    fn tell(&self, sentences: Vec<String>, story: &mut Vec<StoryEvent>) {
        let addresses = story.first().map(|event| event.addresses.clone()).unwrap_or_default();
        let event = |text| StoryEvent::new(self.at, text, addresses.clone());
        story.extend(sentences.into_iter().map(event));
    }

    /// The receipt that the sender asked for, if it is for us to give one.
    fn receipt(
        &self,
        head: &[u8],
        leads: &[Lead],
        told: &mut Vec<StoryEvent>,
    ) -> Result<Option<Acceptance>, StoreError> {
        let owed: Vec<&Lead> = leads.iter().filter(|lead| lead.owes_receipt()).collect();
        let Some(sender) = self.envelope.from.reverse_path.as_ref().filter(|_| !owed.is_empty()) else {
            return Ok(None);
        };
        let mut tell = |what: &str| {
            let text = format!("{sender} asked for a receipt {what}.");
            told.push(StoryEvent::new(self.at, text, vec![sender.clone()]));
        };
        if !self.may_answer() {
            tell("but gets none: nothing proves that the message is from there");
            return Ok(None);
        }
        if self.client.identity.is_none() && !self.reception.receipts.take(Instant::now()) {
            tell("but gets none: too many were asked for by strangers");
            return Ok(None);
        }
        let route = self.reception.store().route(sender)?;
        // A receipt is not worth losing the message for.
        if let Route::Targets(targets) = &route
            && self.reception.room(targets, head.len() as u64 + RECEIPT_ROOM)? != Room::Enough
        {
            tell("but gets none: that mailbox is full");
            return Ok(None);
        }
        let trace = self.reception.trace();
        let what = format!("This is our receipt to {sender} for message {}, as was asked for.", self.envelope.trace);
        let about = owed.into_iter().map(receipt::about).collect();
        let made = self.notice(sender, trace, head, about, what).make(&self.reception.signing, route)?;
        tell(
            &made.as_ref().map_or_else(
                || "but has no such address here".to_owned(),
                |_| format!("and gets it (message {trace})"),
            ),
        );
        Ok(made)
    }

    /// A notice to the sender about some of the recipients.
    fn notice<'a>(
        &'a self,
        sender: &'a Address,
        trace: TraceId,
        header: &'a [u8],
        recipients: Vec<Recipient<'a>>,
        told: String,
    ) -> Notice<'a> {
        let (hostname, from) = (&self.reception.policy.hostname, &self.envelope.from);
        Notice { hostname, from, sender, trace, at: self.at, header, recipients, told }
    }

    /// Our `Received` field. Of who submits, it says nothing but that they logged in.
    fn received(&self) -> String {
        let Envelope { trace, from, recipients } = &self.envelope;
        let tls = self.client.tls.as_ref().map(|tls| format!("{} {}", tls.version, tls.cipher));
        let stranger = self.client.identity.is_none();
        let rdns = self.judgement.as_ref().and_then(Judgement::reverse_name);
        Received {
            from: stranger.then(|| From { helo: &self.client.helo, rdns, ip: self.client.peer.remote.ip() }),
            by: &self.reception.policy.hostname,
            protocol: Protocol {
                extended: self.client.esmtp,
                smtputf8: from.smtputf8,
                tls: self.client.tls.is_some(),
                authenticated: !stranger,
            },
            tls: tls.as_deref(),
            id: *trace,
            recipient: match recipients.as_slice() {
                // Our own field must not be what makes a forward need SMTPUTF8.
                [only] if !only.address.needs_smtputf8() => Some(&only.address),
                _ => None,
            },
            time: self.at.0,
        }
        .compose()
    }
}
