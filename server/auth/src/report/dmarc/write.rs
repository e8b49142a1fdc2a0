//! Writing the XML.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use mailstead_message::Domain;
use mailstead_message::report::{DmarcOutcome, DmarcPublished, Report};

/// The XML of a report about a domain. `rows` are the report's own.
pub fn write(report: &Report, domain: &Domain, rows: &[(DmarcOutcome, u64)]) -> String {
    let mut xml = Xml { text: String::with_capacity(1_024 + rows.len() * 1_024), depth: 0 };
    xml.text.push_str("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    xml.text.push_str("<feedback xmlns=\"urn:ietf:params:xml:ns:dmarc-2.0\">\n");
    xml.depth = 1;
    xml.leaf("version", "1.0");
    metadata(&mut xml, report);
    if let Some(published) = published(rows) {
        policy(&mut xml, domain, published);
    }
    for (row, count) in rows {
        xml.element("record", |xml| record(xml, row, *count));
    }
    xml.text.push_str("</feedback>\n");
    xml.text
}

/// The record that most letters met: there is room for one, and it seldom changes within a day.
fn published(rows: &[(DmarcOutcome, u64)]) -> Option<&DmarcPublished> {
    let mut met = BTreeMap::<String, (u64, &DmarcPublished)>::new();
    for (row, count) in rows {
        let sum = &mut met.entry(format!("{:?}", row.published)).or_insert((0, &row.published)).0;
        *sum = sum.saturating_add(*count);
    }
    met.into_values().max_by_key(|(count, _)| *count).map(|(_, published)| published)
}

fn metadata(xml: &mut Xml, report: &Report) {
    xml.element("report_metadata", |xml| {
        xml.leaf("org_name", &report.organisation);
        xml.leaf("email", &report.contact);
        xml.leaf("report_id", &report.id);
        xml.element("date_range", |xml| {
            xml.leaf("begin", &report.begin.to_string());
            xml.leaf("end", &report.end.to_string());
        });
        if report.untold > 0 {
            xml.leaf("error", &format!("{} more messages were too different to be listed", report.untold));
        }
    });
}

fn policy(xml: &mut Xml, domain: &Domain, published: &DmarcPublished) {
    let alignment = |strict| if strict { "s" } else { "r" };
    xml.element("policy_published", |xml| {
        xml.leaf("domain", domain.as_str());
        xml.leaf("adkim", alignment(published.strict_dkim));
        xml.leaf("aspf", alignment(published.strict_spf));
        xml.leaf("p", published.policy.as_str());
        xml.leaf("sp", published.subdomains.unwrap_or(published.policy).as_str());
        if let Some(policy) = published.nonexistent {
            xml.leaf("np", policy.as_str());
        }
        if let Some(percent) = published.percent {
            xml.leaf("pct", &percent.to_string());
        }
        xml.leaf("testing", if published.testing { "y" } else { "n" });
        if let Some(options) = &published.failure_options {
            xml.leaf("fo", options);
        }
    });
}

fn record(xml: &mut Xml, row: &DmarcOutcome, count: u64) {
    let verdict = |pass| if pass { "pass" } else { "fail" };
    xml.element("row", |xml| {
        xml.leaf("source_ip", &row.source.to_canonical().to_string());
        xml.leaf("count", &count.to_string());
        xml.element("policy_evaluated", |xml| {
            xml.leaf("disposition", row.disposition.as_str());
            xml.leaf("dkim", verdict(row.dkim_aligned));
            xml.leaf("spf", verdict(row.spf_aligned));
            for reason in &row.overrides {
                xml.element("reason", |xml| {
                    xml.leaf("type", reason.kind.as_str());
                    if let Some(comment) = &reason.comment {
                        xml.leaf("comment", comment);
                    }
                });
            }
        });
    });
    xml.element("identifiers", |xml| {
        if let Some(domain) = &row.envelope_to {
            xml.leaf("envelope_to", domain.as_str());
        }
        // The schemas want it; of a null reverse-path it is empty.
        xml.leaf("envelope_from", row.envelope_from.as_ref().map_or("", Domain::as_str));
        xml.leaf("header_from", row.header_from.as_str());
    });
    xml.element("auth_results", |xml| auth_results(xml, row));
}

fn auth_results(xml: &mut Xml, row: &DmarcOutcome) {
    for signature in &row.dkim {
        xml.element("dkim", |xml| {
            xml.leaf("domain", &signature.domain);
            xml.leaf("selector", &signature.selector);
            xml.leaf("result", signature.result.as_str());
        });
    }
    // The schemas want one.
    let none = ("", false, "none");
    let (domain, of_helo, result) =
        row.spf.as_ref().map_or(none, |spf| (spf.domain.as_str(), spf.of_helo, spf.result.as_str()));
    xml.element("spf", |xml| {
        xml.leaf("domain", domain);
        xml.leaf("scope", if of_helo { "helo" } else { "mfrom" });
        xml.leaf("result", result);
    });
}

struct Xml {
    text: String,
    depth: usize,
}

impl Xml {
    fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) {
        self.indent();
        let _ = writeln!(self.text, "<{name}>");
        self.depth += 1;
        content(self);
        self.depth -= 1;
        self.indent();
        let _ = writeln!(self.text, "</{name}>");
    }

    fn leaf(&mut self, name: &str, value: &str) {
        self.indent();
        let _ = write!(self.text, "<{name}>");
        for letter in value.chars() {
            match letter {
                '&' => self.text.push_str("&amp;"),
                '<' => self.text.push_str("&lt;"),
                '>' => self.text.push_str("&gt;"),
                // XML 1.0 can't have them.
                '\u{fffe}' | '\u{ffff}' => {}
                letter if letter.is_control() => {}
                letter => self.text.push(letter),
            }
        }
        let _ = writeln!(self.text, "</{name}>");
    }

    fn indent(&mut self) {
        self.text.extend(std::iter::repeat_n("  ", self.depth));
    }
}
