//! `Authentication-Results` (RFC 8601) and `Received-SPF` (RFC 7208 9.1): ours written, others' in our name found.

use mailstead_message::Domain;
use mailstead_message::header::Field;

use super::{Chain, Outcome, Verdict, Visit};

/// Characters of a name or reason that are repeated: they are the sender's.
const MAX_WORD: usize = 253;

/// What stands behind our name and its semicolon.
pub(super) fn compose(verdict: &Verdict, visit: &Visit) -> String {
    let mut results = Vec::new();
    let origin = &verdict.origin;
    if let (Some(spf), Some(path)) = (&origin.mail_from, &visit.reverse_path) {
        // Beyond ASCII, the field would keep the letter from servers without SMTPUTF8: the domain says enough.
        let sender = if path.needs_smtputf8() { path.domain().to_string() } else { path.to_string() };
        results.push(format!("spf={}{} smtp.mailfrom={}", spf.result.word(), reason(spf.result.why()), value(&sender)));
    }
    if let Ok(helo) = Domain::parse(&visit.helo) {
        let result = &origin.helo.result;
        results.push(format!("spf={}{} smtp.helo={helo}", result.word(), reason(result.why())));
    }
    for signature in &verdict.dkim.looked_at {
        let mut result = format!("dkim={}{}", signature.finding.outcome.word(), reason(Some(&signature.finding.why)));
        for (property, said) in [
            ("header.d", &signature.domain),
            ("header.s", &signature.selector),
            ("header.a", &signature.algorithm),
            ("header.b", &signature.shown),
        ] {
            if !said.is_empty() {
                result.push_str(&format!("\r\n\t {property}={}", value(said)));
            }
        }
        results.push(result);
    }
    if verdict.dkim.looked_at.is_empty() {
        results.push("dkim=none".to_owned());
    }
    if verdict.dkim.passed_over > 0 {
        let (policy, count) = (Outcome::Policy.word(), verdict.dkim.passed_over);
        results.push(format!("dkim={policy}{}", reason(Some(&format!("{count} more signatures were not looked at")))));
    }
    results.push(dmarc(verdict));
    results.push(arc(verdict));
    let reverse = &origin.reverse;
    let name = reverse.name.as_ref().map(|name| format!(" ({name})")).unwrap_or_default();
    results.push(format!(
        "iprev={}{}\r\n\t policy.iprev={}{name}",
        reverse.finding.outcome.word(),
        reason(Some(&reverse.finding.why)),
        value(&visit.ip.to_canonical().to_string())
    ));
    results.join(";\r\n\t")
}

fn dmarc(verdict: &Verdict) -> String {
    let dmarc = &verdict.dmarc;
    let author = dmarc.author.as_ref().map(|author| format!("\r\n\t header.from={author}")).unwrap_or_default();
    let why = if dmarc.outcome == Outcome::None { None } else { Some(dmarc.why.as_str()) };
    let policy = match &dmarc.record {
        Some((place, _)) => format!("\r\n\t polrec.p={} polrec.domain={place}", dmarc.policy.word()),
        None => String::new(),
    };
    format!("dmarc={}{}{author}{policy}", dmarc.outcome.word(), reason(why))
}

fn arc(verdict: &Verdict) -> String {
    let arc = &verdict.arc;
    let sealed = match arc.chain {
        Chain::Passed(links) => format!(" (i={links}, sealed by {})", comment(&arc.sealers.join(", "))),
        _ => String::new(),
    };
    format!("arc={}{}{sealed}", arc.word(), reason(Some(&arc.why)))
}

/// `Received-SPF`, with its line end.
pub fn received_spf(verdict: &Verdict, visit: &Visit, hostname: &str) -> String {
    let spf = verdict.origin.spf();
    let identity = if verdict.origin.mail_from.is_some() { "mailfrom" } else { "helo" };
    let mut pairs = vec![format!("client-ip={};", visit.ip.to_canonical())];
    if let Some(path) = visit.reverse_path.as_ref().filter(|path| !path.needs_smtputf8()) {
        pairs.push(format!("envelope-from=\"{}\";", quoted(&path.to_string())));
    }
    pairs.push(format!("helo={};", value(&visit.helo)));
    pairs.push(format!("receiver={hostname};"));
    pairs.push(format!("identity={identity}"));
    format!(
        "Received-SPF: {} ({hostname}: {})\r\n\t{}\r\n",
        spf.result.word(),
        comment(&spf.domain),
        pairs.join("\r\n\t")
    )
}

/// True when a field that came with a letter claims to be ours, or to have been written by us, and so must go.
pub fn forged(field: &Field<'_>, hostname: &str) -> bool {
    let prefix = field.name.get(..7).unwrap_or_default();
    let is_results = field.is("Authentication-Results");
    if !is_results && !field.is("Received-SPF") && !prefix.eq_ignore_ascii_case("X-Spam-") {
        return false;
    }
    let text = String::from_utf8_lossy(field.value).to_ascii_lowercase();
    let hostname = hostname.to_ascii_lowercase();
    if !is_results {
        return text.contains(&hostname);
    }
    // What one reader takes for a comment without an end may be our name for another.
    writer(&text).is_none_or(|writer| writer.trim_end_matches('.') == hostname)
}

/// Whose results they are; `None` where that can't be told.
fn writer(results: &str) -> Option<String> {
    let (plain, whole) = plain(results);
    let plain = plain.trim_ascii_start();
    let end = plain.find(|c: char| c == ';' || c.is_ascii_whitespace());
    end.or(whole.then_some(plain.len())).and_then(|end| plain.get(..end)).map(str::to_owned)
}

/// True when the results of another say that DMARC passed for this author.
pub(super) fn says_dmarc_passed(results: &[u8], author: &Domain) -> bool {
    let (text, _) = plain(&String::from_utf8_lossy(results).to_ascii_lowercase());
    let from = format!("header.from={}", author.as_str());
    text.split(';').any(|result| {
        let mut words = result.split_ascii_whitespace();
        words.next() == Some("dmarc=pass") && words.any(|word| word == from)
    })
}

/// A structured value without its comments and quotes, and whether all of them have an end.
fn plain(text: &str) -> (String, bool) {
    let (mut plain, mut depth, mut escaped, mut in_quotes) = (String::new(), 0_usize, false, false);
    for character in text.chars() {
        match character {
            _ if escaped => {
                escaped = false;
                if depth == 0 {
                    plain.push(character);
                }
            }
            '\\' => escaped = true,
            '"' if depth == 0 => in_quotes = !in_quotes,
            // Within quotes nothing ends a word.
            ';' | ' ' | '\t' if in_quotes => plain.push('?'),
            _ if in_quotes => plain.push(character),
            '(' => depth += 1,
            // A comment stands for white space.
            ')' if depth == 1 => {
                depth = 0;
                plain.push(' ');
            }
            ')' => depth = depth.saturating_sub(1),
            other if depth == 0 => plain.push(other),
            _ => {}
        }
    }
    (plain, depth == 0 && !in_quotes)
}

fn reason(why: Option<&str>) -> String {
    let why = why.filter(|why| !why.is_empty());
    why.map(|why| format!("\r\n\t reason=\"{}\"", quoted(why))).unwrap_or_default()
}

/// A value (RFC 8601 2.2): as it is where that is allowed, or else quoted.
fn value(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'+' | b'@');
    if !text.is_empty() && text.len() <= MAX_WORD && text.bytes().all(plain) {
        return text.to_owned();
    }
    format!("\"{}\"", quoted(text))
}

/// The content of a quoted string: printable ASCII, bounded.
fn quoted(text: &str) -> String {
    let mut quoted = String::new();
    for character in text.chars().take(MAX_WORD) {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            ' '..='~' => quoted.push(character),
            _ => quoted.push('?'),
        }
    }
    quoted
}

fn comment(text: &str) -> String {
    text.chars()
        .take(MAX_WORD)
        .map(|c| if matches!(c, '(' | ')' | '\\') || !matches!(c, ' '..='~') { '?' } else { c })
        .collect()
}

#[cfg(test)]
mod tests;
