//! Reading the XML, event by event: only what a report's rows need is kept.

use std::net::IpAddr;

use mailstead_message::Domain;
use mailstead_message::report::{
    AuthResult, DkimAuth, DmarcOutcome, DmarcOverride, DmarcOverrideKind, DmarcPolicy, DmarcPublished, Findings,
    MAX_LIST, Report, SpfAuth,
};
use quick_xml::events::{BytesRef, BytesStart, Event};
use quick_xml::reader::Reader;

use crate::report::{MAX_ROWS, Unreadable, complaint, word};

/// Elements within each other: a report has 5, extensions some more.
const MAX_DEPTH: usize = 20;
/// Bytes of an element's text that are kept.
const MAX_TEXT: usize = 4 << 10;

/// Reads a report.
///
/// # Errors
/// Why it can't be read.
pub fn read(xml: &[u8]) -> Result<Report, Unreadable> {
    let xml = String::from_utf8_lossy(xml);
    let mut reader = Reader::from_str(&xml);
    let mut reading = Reading::default();
    loop {
        match reader.read_event().map_err(|error| Unreadable::Xml(complaint(&error)))? {
            Event::Start(tag) => reading.begin(&tag)?,
            Event::Empty(tag) => {
                reading.begin(&tag)?;
                reading.end();
            }
            Event::End(_) => reading.end(),
            Event::Text(text) => reading.text(&text.xml10_content()),
            Event::CData(text) => reading.text(&text.xml10_content()),
            Event::GeneralRef(reference) => reading.reference(&reference)?,
            // The way to entities of one's own, which grow without end or read what is none of theirs.
            Event::DocType(_) => return Err(Unreadable::DocumentType),
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    reading.finish()
}

/// What has been read.
#[derive(Default)]
struct Reading {
    /// The open elements, outermost first.
    path: Vec<String>,
    text: String,
    organisation: String,
    contact: String,
    id: String,
    begin: Option<i64>,
    end: Option<i64>,
    policy: Policy,
    records: Vec<Record>,
}

#[derive(Default)]
struct Policy {
    domain: String,
    strict_dkim: bool,
    strict_spf: bool,
    policy: Option<DmarcPolicy>,
    subdomains: Option<DmarcPolicy>,
    nonexistent: Option<DmarcPolicy>,
    testing: bool,
    percent: Option<u8>,
    failure_options: Option<String>,
}

#[derive(Default)]
struct Record {
    source: Option<IpAddr>,
    count: u64,
    disposition: Option<DmarcPolicy>,
    dkim_aligned: bool,
    spf_aligned: bool,
    overrides: Vec<DmarcOverride>,
    header_from: String,
    envelope_from: String,
    envelope_to: String,
    dkim: Vec<DkimAuth>,
    spf: Option<SpfAuth>,
}

impl Reading {
    fn begin(&mut self, tag: &BytesStart<'_>) -> Result<(), Unreadable> {
        if self.path.len() >= MAX_DEPTH {
            return Err(Unreadable::TooDeep);
        }
        let name = word(tag.local_name().as_ref());
        if self.path.is_empty() && name != "feedback" {
            return Err(Unreadable::Missing("element <feedback> around it"));
        }
        self.path.push(name);
        self.text.clear();
        let Self { path, records, .. } = self;
        match below_root(path).as_slice() {
            ["record"] if records.len() >= MAX_ROWS => return Err(Unreadable::TooManyRows),
            ["record"] => records.push(Record::default()),
            ["record", field @ ..] => {
                if let Some(record) = records.last_mut() {
                    record.begin(field);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self) {
        let text = word(&std::mem::take(&mut self.text));
        let path = std::mem::take(&mut self.path);
        match below_root(&path).as_slice() {
            ["report_metadata", "org_name"] => self.organisation = text,
            ["report_metadata", "email"] => self.contact = text,
            ["report_metadata", "report_id"] => self.id = text,
            ["report_metadata", "date_range", "begin"] => self.begin = text.parse().ok(),
            ["report_metadata", "date_range", "end"] => self.end = text.parse().ok(),
            ["policy_published", field] => self.policy.set(field, text),
            ["record", field @ ..] => {
                if let Some(record) = self.records.last_mut() {
                    record.set(field, text);
                }
            }
            _ => {}
        }
        self.path = path;
        self.path.pop();
    }

    fn text(&mut self, text: &str) {
        let room = MAX_TEXT.saturating_sub(self.text.len());
        self.text.extend(text.chars().take(room));
    }

    /// `&amp;` and its like; nothing else can be known without a document type.
    fn reference(&mut self, reference: &BytesRef<'_>) -> Result<(), Unreadable> {
        let unknown = |error: &dyn std::fmt::Display| Unreadable::Xml(complaint(error));
        let letter = match reference.resolve_char_ref().map_err(|error| unknown(&error))? {
            Some(letter) => letter.to_string(),
            None => {
                let name = reference.xml10_content();
                let known = quick_xml::escape::resolve_predefined_entity(&name);
                known.ok_or_else(|| unknown(&format!("there is no entity {name}")))?.to_owned()
            }
        };
        self.text(&letter);
        Ok(())
    }

    fn finish(self) -> Result<Report, Unreadable> {
        if !self.path.is_empty() {
            return Err(Unreadable::Xml("it is cut short".to_owned()));
        }
        let domain = Domain::parse(&self.policy.domain).map_err(|_| Unreadable::Missing("domain it is about"))?;
        let begin = self.begin.ok_or(Unreadable::Missing("begin of its time"))?;
        let end = self.end.filter(|end| *end >= begin).ok_or(Unreadable::Missing("end of its time"))?;
        if self.organisation.is_empty() || self.id.is_empty() {
            return Err(Unreadable::Missing("name of who made it, or no name of its own"));
        }
        let published = self.policy.published();
        let mut untold = 0;
        let mut rows = Vec::with_capacity(self.records.len());
        for record in self.records {
            let count = record.count;
            match record.outcome(&domain, &published) {
                Some(row) => rows.push((row, count)),
                None => untold = u64::saturating_add(untold, count),
            }
        }
        let Self { organisation, contact, id, .. } = self;
        Ok(Report { organisation, contact, id, begin, end, findings: Findings::Dmarc(rows), untold })
    }
}

fn below_root(path: &[String]) -> Vec<&str> {
    path.iter().skip(1).map(String::as_str).collect()
}

impl Policy {
    fn set(&mut self, field: &str, text: String) {
        match field {
            "domain" => self.domain = text,
            "adkim" => self.strict_dkim = text.eq_ignore_ascii_case("s"),
            "aspf" => self.strict_spf = text.eq_ignore_ascii_case("s"),
            "p" => self.policy = DmarcPolicy::parse(&text),
            "sp" => self.subdomains = DmarcPolicy::parse(&text),
            "np" => self.nonexistent = DmarcPolicy::parse(&text),
            "pct" => self.percent = text.parse().ok(),
            "testing" => self.testing = text.eq_ignore_ascii_case("y"),
            "fo" => self.failure_options = Some(text).filter(|text| !text.is_empty()),
            _ => {}
        }
    }

    fn published(&self) -> DmarcPublished {
        DmarcPublished {
            strict_dkim: self.strict_dkim,
            strict_spf: self.strict_spf,
            policy: self.policy.unwrap_or(DmarcPolicy::None),
            subdomains: self.subdomains,
            nonexistent: self.nonexistent,
            testing: self.testing,
            percent: self.percent,
            failure_options: self.failure_options.clone(),
        }
    }
}

impl Record {
    /// An element begins of which there may be several.
    fn begin(&mut self, at: &[&str]) {
        match at {
            ["row", "policy_evaluated", "reason"] if self.overrides.len() < MAX_LIST => {
                self.overrides.push(DmarcOverride { kind: DmarcOverrideKind::Other, comment: None });
            }
            ["auth_results", "dkim"] if self.dkim.len() < MAX_LIST => {
                self.dkim.push(DkimAuth { domain: String::new(), selector: String::new(), result: AuthResult::None });
            }
            ["auth_results", "spf"] => {
                self.spf = Some(SpfAuth { domain: String::new(), of_helo: false, result: AuthResult::None });
            }
            _ => {}
        }
    }

    fn set(&mut self, field: &[&str], text: String) {
        let pass = |text: &str| text.eq_ignore_ascii_case("pass");
        match field {
            ["row", "source_ip"] => self.source = text.parse().ok(),
            ["row", "count"] => self.count = text.parse().unwrap_or(0),
            ["row", "policy_evaluated", "disposition"] => self.disposition = DmarcPolicy::parse(&text),
            ["row", "policy_evaluated", "dkim"] => self.dkim_aligned = pass(&text),
            ["row", "policy_evaluated", "spf"] => self.spf_aligned = pass(&text),
            ["row", "policy_evaluated", "reason", field] => self.set_reason(field, text),
            ["identifiers" | "identities", "header_from"] => self.header_from = text,
            ["identifiers" | "identities", "envelope_from"] => self.envelope_from = text,
            ["identifiers" | "identities", "envelope_to"] => self.envelope_to = text,
            ["auth_results", "dkim", field] => self.set_dkim(field, text),
            ["auth_results", "spf", field] => self.set_spf(field, text),
            _ => {}
        }
    }

    fn set_reason(&mut self, field: &str, text: String) {
        let Some(reason) = self.overrides.last_mut() else { return };
        match field {
            // RFC 7489's word for what RFC 9990 calls a trusted forwarder.
            "type" if text.eq_ignore_ascii_case("forwarded") => reason.kind = DmarcOverrideKind::TrustedForwarder,
            "type" => reason.kind = DmarcOverrideKind::parse(&text).unwrap_or(DmarcOverrideKind::Other),
            "comment" => reason.comment = Some(text).filter(|text| !text.is_empty()),
            _ => {}
        }
    }

    fn set_dkim(&mut self, field: &str, text: String) {
        let Some(signature) = self.dkim.last_mut() else { return };
        match field {
            "domain" => signature.domain = text,
            "selector" => signature.selector = text,
            "result" => signature.result = auth_result(&text),
            _ => {}
        }
    }

    fn set_spf(&mut self, field: &str, text: String) {
        let Some(spf) = &mut self.spf else { return };
        match field {
            "domain" => spf.domain = text,
            "scope" => spf.of_helo = text.eq_ignore_ascii_case("helo"),
            "result" => spf.result = auth_result(&text),
            _ => {}
        }
    }

    /// The row it is; `None` when there is no address or no count to it.
    fn outcome(self, domain: &Domain, published: &DmarcPublished) -> Option<DmarcOutcome> {
        if self.count == 0 {
            return None;
        }
        Some(DmarcOutcome {
            domain: domain.clone(),
            published: published.clone(),
            source: self.source?,
            disposition: self.disposition.unwrap_or(DmarcPolicy::None),
            dkim_aligned: self.dkim_aligned,
            spf_aligned: self.spf_aligned,
            overrides: self.overrides,
            // Forgers write what is no domain; what the row tells is told all the same.
            header_from: Domain::parse(&self.header_from).unwrap_or_else(|_| domain.clone()),
            envelope_from: Domain::parse(&self.envelope_from).ok(),
            envelope_to: Domain::parse(&self.envelope_to).ok(),
            dkim: self.dkim,
            spf: self.spf.filter(|spf| !spf.domain.is_empty() || spf.result != AuthResult::None),
        })
    }
}

/// Some programs write RFC 4408's words.
fn auth_result(text: &str) -> AuthResult {
    match text.to_ascii_lowercase().as_str() {
        "unknown" | "error" => AuthResult::Temperror,
        "hardfail" => AuthResult::Fail,
        word => AuthResult::parse(word).unwrap_or(AuthResult::None),
    }
}
