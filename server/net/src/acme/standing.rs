//! How it stands with a certificate, for the operator.

use rustls_pki_types::CertificateDer;

use super::record::{Facts, Record};
use super::schedule::Blame;
use super::{Fallback, Keeper, now, schedule};

/// The name under which a certificate is told of that is shown only to those who ask for a name without one.
const OTHERS: &str = "every other name";

/// Where a certificate comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// An authority, by ACME.
    Acme,
    /// The files under `[tls]`.
    Files,
    /// Ourselves.
    SelfSigned,
    /// Whoever started the server.
    Given,
    /// There is none of its own: the mail host's is shown.
    None,
}

/// One certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// The name it is for.
    pub name: String,
    /// Where it comes from.
    pub source: Source,
    /// Who signed it.
    pub issuer: Option<String>,
    /// When it ends, in seconds since 1970.
    pub expires: Option<i64>,
    /// It ends soon.
    pub alarming: bool,
    /// What went wrong last, since it last went well.
    pub trouble: Option<String>,
    /// It is only that the name does not lead here yet.
    pub waits_for_dns: bool,
    /// When a new one is asked for, in seconds since 1970.
    pub next: Option<i64>,
}

impl Keeper {
    /// How it stands with every certificate, the mail host's first.
    pub fn standings(&self) -> Vec<Standing> {
        let states = self.states();
        let mut list: Vec<Standing> = states.values().map(|state| Standing::of_record(&state.record)).collect();
        drop(states);
        let host = &self.0.hostname;
        let asked = list.iter().position(|standing| standing.name == *host);
        let has_its_own = asked.is_some_and(|at| list.get(at).is_some_and(|standing| standing.expires.is_some()));
        let shown = self.0.certificates.fallback();
        match (has_its_own, self.0.fallback) {
            (true, Fallback::SelfSigned) => {}
            // Files that are not for the mail host's name.
            (true, other) => list.push(Standing::of_fallback(OTHERS, other, shown.first(), None)),
            (false, fallback) => {
                let asked = asked.map(|at| list.remove(at));
                list.push(Standing::of_fallback(host, fallback, shown.first(), asked));
            }
        }
        list.sort_by_key(|standing| (standing.name != self.0.hostname, standing.name.clone()));
        list
    }
}

impl Standing {
    /// Of a name asked for by ACME.
    pub fn of_record(record: &Record) -> Self {
        let facts = record.facts();
        let trouble = record.trouble.as_ref();
        Self {
            name: record.name.clone(),
            source: if facts.is_some() { Source::Acme } else { Source::None },
            issuer: facts.as_ref().map(|facts| facts.issuer.clone()),
            expires: facts.as_ref().map(|facts| facts.not_after),
            alarming: facts.as_ref().is_some_and(is_alarming),
            trouble: trouble.map(|trouble| trouble.words.clone()),
            waits_for_dns: trouble.is_some_and(|trouble| trouble.blame == Blame::Dns),
            next: record.next,
        }
    }

    /// Of what everybody else is shown; `asked` is how it stands with a better one for the same name.
    pub(super) fn of_fallback(
        name: &str,
        fallback: Fallback,
        shown: Option<&CertificateDer<'static>>,
        asked: Option<Self>,
    ) -> Self {
        let facts = shown.and_then(|shown| Facts::of(shown.clone()).ok());
        let source = match fallback {
            Fallback::Files => Source::Files,
            Fallback::SelfSigned => Source::SelfSigned,
            Fallback::Given => Source::Given,
        };
        Self {
            name: name.to_owned(),
            source,
            issuer: facts.as_ref().filter(|_| source != Source::SelfSigned).map(|facts| facts.issuer.clone()),
            expires: facts.as_ref().map(|facts| facts.not_after),
            alarming: facts.as_ref().is_some_and(is_alarming),
            trouble: asked.as_ref().and_then(|asked| asked.trouble.clone()),
            waits_for_dns: asked.as_ref().is_some_and(|asked| asked.waits_for_dns),
            next: asked.and_then(|asked| asked.next),
        }
    }
}

fn is_alarming(facts: &Facts) -> bool {
    now() >= schedule::alarm(facts.not_before, facts.not_after)
}

/// RFC 3339, in UTC.
pub(super) fn time(at: i64) -> String {
    jiff::Timestamp::from_second(at).map_or_else(|_| at.to_string(), |at| at.to_string())
}
