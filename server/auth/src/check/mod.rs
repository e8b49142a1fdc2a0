//! What is proved about a letter from the world.
//!
//! [`Origin`] is what can be told of the client as soon as it has said `MAIL FROM`; [`Verdict`] is all there is to say
//! of the letter. What both ask DNS is bounded in number and time.

mod arc;
mod dkim;
mod dmarc;
mod inquiry;
mod iprev;
mod key;
mod prove;
mod results;
mod signature;
mod spf;
#[cfg(test)]
mod table;
mod tags;
mod words;

use std::future::{Future, poll_fn};
use std::net::IpAddr;
use std::task::Poll;
use std::time::Duration;

use mailstead_message::{Address, Domain};
use mailstead_net::dns::Dns;

pub use arc::{ArcVerdict, Chain};
pub use dkim::{DkimVerdict, DkimVerdicts};
pub use dmarc::{DmarcVerdict, Policy, Record};
pub use iprev::ReverseVerdict;
pub use results::{forged, received_spf};
pub use spf::{SpfResult, spf};

use self::inquiry::Inquiry;
use self::key::Keys;
use self::signature::Header;
use crate::body::Canonicalization;

/// What is asked of the client. It has patience, too (ten minutes, RFC 5321 4.5.3.2.6), which is not ours to spend.
const PATIENCE_WITH_CLIENT: Duration = Duration::from_secs(20);
/// What is asked of the authors' domains: less than what the resolver needs to give up, so that where the resolver is
/// kept busy it is we who give up, and know it.
const PATIENCE_WITH_AUTHORS: Duration = Duration::from_secs(18);
/// The keys of all who say that they signed: some time is left to find out who of them belongs to the author.
const PATIENCE_WITH_SIGNERS: Duration = Duration::from_secs(14);

/// The result of one method (RFC 8601 2.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Outcome {
    /// There is nothing to judge by.
    None,
    /// Good.
    Pass,
    /// Bad.
    Fail,
    /// Perhaps good, but not acceptable to us.
    Policy,
    /// DNS did not answer.
    TempError,
    /// It can't be judged, and never will.
    PermError,
}

impl Outcome {
    /// The word for it in header fields.
    pub fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::Policy => "policy",
            Self::TempError => "temperror",
            Self::PermError => "permerror",
        }
    }
}

/// A result, with the reason unless it is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// The result.
    pub outcome: Outcome,
    /// Why, in words that follow on a colon.
    pub why: String,
}

impl Finding {
    fn new(outcome: Outcome, why: &str) -> Self {
        Self { outcome, why: why.to_owned() }
    }
}

/// Hashes (SHA-256) of the body in the shapes that its signatures need.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct BodyHashes {
    /// Simple.
    pub simple: Option<Vec<u8>>,
    /// Relaxed.
    pub relaxed: Option<Vec<u8>>,
}

impl BodyHashes {
    fn get(&self, shape: Canonicalization) -> Option<&[u8]> {
        match shape {
            Canonicalization::Simple => self.simple.as_deref(),
            Canonicalization::Relaxed => self.relaxed.as_deref(),
        }
    }
}

/// Who brings the letter.
#[derive(Debug, Clone)]
pub struct Visit {
    /// The client's address.
    pub ip: IpAddr,
    /// What it called itself.
    pub helo: String,
    /// `MAIL FROM`.
    pub reverse_path: Option<Address>,
}

/// SPF of one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spf {
    /// The domain, in lower case.
    pub domain: String,
    /// What it says.
    pub result: SpfResult,
}

/// What can be told of the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    /// SPF of the name it gave.
    pub helo: Spf,
    /// SPF of the reverse-path; `None` for the null one.
    pub mail_from: Option<Spf>,
    /// Its name by DNS.
    pub reverse: ReverseVerdict,
    /// DNS answered something at all.
    heard: bool,
}

impl Origin {
    /// Finds out.
    pub async fn check(dns: &dyn Dns, visit: &Visit) -> Self {
        let inquiry = &Inquiry::new(dns, PATIENCE_WITH_CLIENT);
        let mail_from = async {
            let path = visit.reverse_path.as_ref()?;
            let result = spf::check(inquiry, visit.ip, &visit.helo, &path.to_string()).await;
            Some(Spf { domain: path.domain().as_str().to_owned(), result })
        };
        let helo = spf::check(inquiry, visit.ip, &visit.helo, "");
        let (mail_from, helo, reverse) = tokio::join!(mail_from, helo, iprev::check(inquiry, visit.ip));
        let helo = Spf { domain: visit.helo.to_ascii_lowercase(), result: helo };
        Self { helo, mail_from, reverse, heard: inquiry.heard() }
    }

    /// The one that counts for DMARC: of the reverse-path, or of the client's name where that is null.
    pub fn spf(&self) -> &Spf {
        self.mail_from.as_ref().unwrap_or(&self.helo)
    }
}

/// All that can be told of a letter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Of the client.
    pub origin: Origin,
    /// Of the signatures.
    pub dkim: DkimVerdicts,
    /// Of the author.
    pub dmarc: DmarcVerdict,
    /// Of those who handled it before.
    pub arc: ArcVerdict,
    /// What stands in `Authentication-Results` behind our name and its semicolon, folded, without the final line end.
    pub results: String,
}

/// What is to become of a letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// It is taken.
    Accept,
    /// It is taken, for Junk.
    Junk,
    /// It is to come again: DNS may tell then.
    Defer,
    /// It is refused.
    Refuse,
}

/// The body shapes whose hashes [`Verdict::check`] will need.
pub fn shapes(header: &[u8], now: i64) -> Vec<Canonicalization> {
    let header = Header::new(header);
    let mut shapes = dkim::shapes(&header, now);
    shapes.extend(arc::shape(&header, now));
    shapes
}

impl Verdict {
    /// Judges a letter by its header block and the hashes of its body; `now` is in seconds since 1970.
    pub async fn check(
        dns: &dyn Dns,
        visit: &Visit,
        mut origin: Origin,
        header: &[u8],
        body: &BodyHashes,
        now: i64,
    ) -> Self {
        let fields = Header::new(header);
        let signers = dkim::wanted(&fields, now).into_iter().chain(arc::wanted(&fields, now));
        // Whoever forges an author chooses the signers, and how long they take to answer.
        let for_authors = Inquiry::new(dns, PATIENCE_WITH_AUTHORS);
        let for_signers = Inquiry::new(dns, PATIENCE_WITH_SIGNERS);
        let (keys, authors) = tokio::join!(Keys::fetch(&for_signers, signers), dmarc::look_up(&for_authors, header));
        let (dkim, arc) = prove::prove(fields, header, body, keys, now).await;
        let dmarc = authors.judge(&for_authors, &dmarc::Proofs { dkim: &dkim, spf: origin.spf() }).await;
        origin.heard |= for_authors.heard() || for_signers.heard();
        let mut verdict = Self { origin, dkim, dmarc, arc, results: String::new() };
        verdict.results = results::compose(&verdict, visit);
        verdict
    }

    /// What its author's domain asks for, with the operator's trusted sealers.
    pub fn disposition(&self, trusted: &[Domain]) -> Disposition {
        let dmarc = &self.dmarc;
        match dmarc.outcome {
            Outcome::Fail | Outcome::TempError if self.voucher(trusted).is_some() => Disposition::Accept,
            Outcome::Fail => match dmarc.policy {
                Policy::None => Disposition::Accept,
                Policy::Quarantine => Disposition::Junk,
                Policy::Reject if self.may_get_voucher(trusted) => Disposition::Defer,
                Policy::Reject => Disposition::Refuse,
            },
            // Without the answer it would not be taken as it is.
            Outcome::TempError if dmarc.policy != Policy::None => Disposition::Defer,
            Outcome::TempError if dmarc.asks_for_nothing() => Disposition::Accept,
            // The policy itself is not known. Where we gave up, or nothing at all is answered, it is our DNS that is
            // busy or down, and that ends; a domain whose own servers are broken may stay so, and its letters must not
            // be lost for it, nor look like proved ones.
            Outcome::TempError if dmarc.cut_short || !self.origin.heard => Disposition::Defer,
            Outcome::TempError => Disposition::Junk,
            Outcome::PermError if dmarc.several_from => Disposition::Refuse,
            Outcome::PermError => Disposition::Junk,
            _ => Disposition::Accept,
        }
    }

    /// The trusted handler who saw that the letter was its author's before it was changed: the chain must be whole, all
    /// its sealers trusted, for each could have put any letter under what those before it said.
    pub fn voucher(&self, trusted: &[Domain]) -> Option<&str> {
        let Chain::Passed(_) = self.arc.chain else { return None };
        self.first_to_vouch(trusted)
    }

    /// True when [`voucher`](Self::voucher) may be somebody as soon as DNS answers.
    fn may_get_voucher(&self, trusted: &[Domain]) -> bool {
        self.arc.undecided && self.first_to_vouch(trusted).is_some()
    }

    fn first_to_vouch(&self, trusted: &[Domain]) -> Option<&str> {
        let author = self.dmarc.author.as_ref()?;
        let is_trusted = |sealer: &String| trusted.iter().any(|domain| sealer == domain.as_str());
        if !self.arc.sealers.iter().all(is_trusted) || !results::says_dmarc_passed(&self.arc.first_results, author) {
            return None;
        }
        self.arc.sealers.first().map(String::as_str)
    }

    /// True when the reverse-path is proved to be the sender's, so that what is sent to it reaches nobody else: SPF
    /// passed for it, or the author is proved and it is the author's domain.
    pub fn may_be_answered(&self) -> bool {
        let Some(mail_from) = &self.origin.mail_from else { return false };
        let author = self.dmarc.author.as_ref().map(Domain::as_str);
        mail_from.result == SpfResult::Pass
            || (self.dmarc.outcome == Outcome::Pass && author == Some(mail_from.domain.as_str()))
    }

    /// The verdict in sentences for the operator.
    pub fn words(&self, trusted: &[Domain]) -> Vec<String> {
        words::tell(self, trusted)
    }
}

/// Waits for all of them at once; the results come in their order.
async fn together<F: Future>(futures: impl IntoIterator<Item = F>) -> Vec<F::Output> {
    let mut pending: Vec<_> = futures.into_iter().map(|future| (Box::pin(future), None)).collect();
    poll_fn(|context| {
        let mut ready = true;
        for (future, output) in pending.iter_mut().filter(|(_, output)| output.is_none()) {
            match future.as_mut().poll(context) {
                Poll::Ready(value) => *output = Some(value),
                Poll::Pending => ready = false,
            }
        }
        if ready { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    pending.into_iter().filter_map(|(_, output)| output).collect()
}

#[cfg(test)]
mod patience_tests;
#[cfg(test)]
mod tests;
