//! Answers on the terminal: sentences and tables for people, JSON for programs.

mod accounts;
mod activity;
mod app_passwords;
mod backups;
mod digest;
mod doctor;
mod guidance;
mod logs;

pub(crate) use guidance::zone;

use std::io::Write;

use mailstead_advice::doctor::Examination;
use mailstead_store::{RecipientState, SmarthostTls, TlsNeed};
use mailstead_web::control::{
    AccountView, AliasView, Answer, BanView, CertificateSource, CertificateView, DomainView, KeyView, QueueView,
    ReportDetail, ReportView, SmarthostView, StatusView, StoryView,
};
use serde_json::{Value, json};

use crate::commands::PASSWORD_SHOWN;

/// Prints to standard output; a reader that went away is no error.
pub(crate) fn out(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.trim_end().as_bytes()).and_then(|()| out.write_all(b"\n")).and_then(|()| out.flush());
}

/// Prints an answer, with the password made up for it, if one was.
///
/// # Errors
/// A sentence when the answer can't be written as JSON.
pub(crate) fn answer(answer: &Answer, generated: Option<&str>, json: bool) -> Result<(), String> {
    let text = if json {
        serde_json::to_string(&machine(answer, generated)).map_err(|error| error.to_string())?
    } else {
        human(answer, generated)
    };
    out(&text);
    Ok(())
}

/// Prints what the doctor found.
///
/// # Errors
/// A sentence when it can't be written as JSON.
pub(crate) fn examination(found: &Examination, json: bool) -> Result<(), String> {
    answer(&Answer::Examination(found.clone()), None, json)
}

fn with_light(found: &Examination) -> Value {
    json!({ "light": found.light(), "at": found.at, "findings": found.findings })
}

/// The answer without its wrapper: lists are arrays.
fn machine(answer: &Answer, generated: Option<&str>) -> Value {
    match answer {
        Answer::Done(sentence) => match generated {
            Some(password) => json!({ "done": sentence, "password": password }),
            None => json!({ "done": sentence }),
        },
        Answer::Domains(list) => json!(list),
        Answer::DomainCheck(check) => json!(check),
        Answer::Keys(list) => json!(list),
        Answer::Accounts(list) => json!(list),
        Answer::Account(account) => json!(account),
        Answer::AppPasswords(list) => json!(list),
        Answer::Logs(list) => json!(list),
        Answer::NewAppPassword(made) => json!(made),
        Answer::Aliases(list) => json!(list),
        Answer::Smarthosts(list) => json!(list),
        Answer::Queue(list) => json!(list),
        Answer::Stories(list) => json!(list),
        Answer::Activity(list) => json!(list),
        Answer::Story(letter) => json!(letter),
        Answer::Bans(list) => json!(list),
        Answer::Sealers(list) => json!(list),
        Answer::Reports(list) => json!(list),
        Answer::ReportDigest(digest) => json!(digest),
        Answer::Report(report) => json!(report),
        Answer::Sentences(list) => json!(list),
        Answer::Certificates(list) => json!(list),
        Answer::Examination(found) => with_light(found),
        Answer::Setup(view) => json!(view),
        Answer::SetupLink(link) => json!(link),
        Answer::Backups(view) => json!(view),
        Answer::BackupStaged(picture) => json!(picture),
        Answer::Status(status) => json!(status),
    }
}

fn human(answer: &Answer, generated: Option<&str>) -> String {
    match answer {
        Answer::Done(sentence) => match generated {
            Some(password) => format!("{sentence}\n{PASSWORD_SHOWN}{password}"),
            None => sentence.clone(),
        },
        Answer::Domains(list) => domains(list),
        Answer::DomainCheck(check) => guidance::records(check),
        Answer::Keys(list) => keys(list),
        Answer::Accounts(list) => accounts(list),
        Answer::Account(account) => self::accounts::one(account),
        Answer::AppPasswords(list) => app_passwords::list(list),
        Answer::Logs(list) => logs::lines(list),
        Answer::NewAppPassword(made) => app_passwords::new(made),
        Answer::Aliases(list) => aliases(list),
        Answer::Smarthosts(list) => smarthosts(list),
        Answer::Queue(list) => queue(list),
        Answer::Stories(list) => stories(list),
        Answer::Activity(list) => activity::list(list),
        Answer::Story(letter) => activity::story(letter),
        Answer::Bans(list) => bans(list),
        Answer::Sealers(list) if list.is_empty() => "Nobody's seals are trusted.".to_owned(),
        Answer::Sealers(list) => list.join("\n"),
        Answer::Reports(list) => reports(list),
        Answer::ReportDigest(digest) => self::digest::digest(digest),
        Answer::Report(report) => self::report(report),
        Answer::Sentences(list) => list.iter().map(|sentence| printable(sentence) + "\n").collect(),
        Answer::Certificates(list) => certificates(list),
        Answer::Examination(found) => doctor::examination(found),
        // `mailstead setup` tells these itself.
        Answer::Setup(_) | Answer::SetupLink(_) => String::new(),
        Answer::Backups(view) => backups::last(view),
        Answer::BackupStaged(picture) => picture.display().to_string(),
        Answer::Status(status) => self::status(status),
    }
}

fn domains(list: &[DomainView]) -> String {
    if list.is_empty() {
        return "There is no domain yet: add yours with `mailstead domain add example.org`.".to_owned();
    }
    let rows = list.iter().map(|domain| {
        vec![
            domain.domain.clone(),
            domain.catch_all.clone().map_or_else(|| "refused".to_owned(), |to| format!("to {to}")),
            domain.mta_sts.to_string(),
        ]
    });
    table(&["DOMAIN", "UNKNOWN ADDRESSES", "MTA-STS"], rows)
}

fn keys(list: &[KeyView]) -> String {
    if list.is_empty() {
        return "It has no keys yet: the server makes them when it starts.".to_owned();
    }
    let rows = list.iter().map(|key| vec![key.selector.clone(), key.created.clone(), key.meaning.clone()]);
    table(&["SELECTOR", "MADE", "WHAT IT DOES"], rows)
}

fn accounts(list: &[AccountView]) -> String {
    if list.is_empty() {
        return "There is no account yet: add one with `mailstead account add you@example.org`.".to_owned();
    }
    let rows = list.iter().map(|account| {
        let quota = account.quota.map_or_else(|| "no limit".to_owned(), bytes);
        let state = match (account.disabled, account.operator) {
            (true, _) => "disabled",
            (false, true) => "operator",
            (false, false) => "",
        };
        let forwards = match (account.forwards.is_empty(), account.keeps) {
            (true, _) => String::new(),
            (false, true) => format!("{} too", account.forwards.join(", ")),
            (false, false) => account.forwards.join(", "),
        };
        let also = account.addresses.join(", ");
        vec![account.address.clone(), bytes(account.used), quota, state.to_owned(), also, forwards]
    });
    table(&["ACCOUNT", "USED", "QUOTA", "", "ALSO", "SENT ON TO"], rows)
}

fn aliases(list: &[AliasView]) -> String {
    if list.is_empty() {
        return "There is no alias.".to_owned();
    }
    table(&["ALIAS", "LEADS TO"], list.iter().map(|alias| vec![alias.address.clone(), alias.targets.join(", ")]))
}

fn smarthosts(list: &[SmarthostView]) -> String {
    if list.is_empty() {
        return "Mail is delivered directly: no relay is set.".to_owned();
    }
    let rows = list.iter().map(|relay| {
        let tls = match relay.tls {
            SmarthostTls::Implicit => "TLS",
            SmarthostTls::Starttls => "STARTTLS",
            SmarthostTls::None => "no TLS",
        };
        vec![
            relay.domain.clone().unwrap_or_else(|| "all".to_owned()),
            format!("{}:{}", relay.host, relay.port),
            tls.to_owned(),
            relay.user.clone().unwrap_or_else(|| "no login".to_owned()),
        ]
    });
    table(&["MAIL FROM", "RELAY", "SECURITY", "USER"], rows)
}

fn queue(list: &[QueueView]) -> String {
    if list.is_empty() {
        return "Nothing waits to go out.".to_owned();
    }
    let mut text = String::new();
    for entry in list {
        let from = if entry.from.is_empty() { "a report (no sender)" } else { &entry.from };
        let need = match entry.tls {
            TlsNeed::Usual => "",
            TlsNeed::Required => ", only under verified TLS (REQUIRETLS)",
            TlsNeed::Waived => ", whatever TLS there is (TLS-Required: No)",
        };
        let next = if entry.held { "held".to_owned() } else { format!("next try {}", entry.due) };
        text += &format!(
            "{}  from {from}, {}, since {}, tried {}, {next}{need}  [{}]\n",
            entry.id,
            bytes(entry.size),
            entry.created,
            count(entry.attempts.into(), "time"),
            entry.trace
        );
        for recipient in &entry.recipients {
            let state = match recipient.state {
                RecipientState::Waiting => "waits",
                RecipientState::Delivered => "delivered",
                RecipientState::Failed => "failed",
            };
            text += &format!("     to {} {state}", printable(&recipient.address));
            if let Some(last) = &recipient.last {
                text += &format!(": {}", printable(last));
            }
            text.push('\n');
        }
    }
    text
}

fn stories(list: &[StoryView]) -> String {
    if list.is_empty() {
        return "Nothing is known of it: stories are kept for 30 days.".to_owned();
    }
    let mut text = String::new();
    for story in list {
        text += &format!("{}\n", story.trace);
        for event in &story.events {
            text += &format!("  {}  {}\n", event.at, printable(&event.text));
        }
        text.push('\n');
    }
    text
}

fn bans(list: &[BanView]) -> String {
    if list.is_empty() {
        return "Nobody is locked out.".to_owned();
    }
    let rows = list.iter().map(|ban| vec![ban.address.clone(), count(ban.seconds.div_ceil(60), "minute")]);
    table(&["ADDRESS", "FOR ANOTHER"], rows)
}

fn certificates(list: &[CertificateView]) -> String {
    if list.is_empty() {
        return "No certificate has come yet: a running server asks for them, unless [tls] or [acme] in the \
                configuration say otherwise."
            .to_owned();
    }
    let mut text = String::new();
    for certificate in list {
        let issuer = certificate.issuer.as_deref().unwrap_or("nobody named");
        let from = match certificate.source {
            CertificateSource::Acme => format!("from {issuer}"),
            CertificateSource::Given => format!("signed by {issuer}"),
            CertificateSource::Files => format!("from the files under [tls], signed by {issuer}"),
            CertificateSource::SelfSigned => "self-signed: mail programs warn about it".to_owned(),
            CertificateSource::None => "none of its own yet".to_owned(),
        };
        text += &format!("{}  {from}", certificate.name);
        if let Some(expires) =
            certificate.expires.as_ref().filter(|_| certificate.source != CertificateSource::SelfSigned)
        {
            let soon = if certificate.expires_soon { ", SOON" } else { "" };
            text += &format!(", until {expires}{soon}");
        }
        text.push('\n');
        if let Some(error) = &certificate.last_error {
            text += &format!("     {error}\n");
        }
        if let Some(next) = &certificate.next_try {
            let what = match (&certificate.last_error, certificate.waits_for_dns) {
                (None, _) => "renewed",
                (Some(_), true) => "looked at again",
                (Some(_), false) => "tried again",
            };
            text += &format!("     {what} {next}\n");
        }
    }
    text.lines().map(|line| printable(line) + "\n").collect()
}

fn status(status: &StatusView) -> String {
    let running = match status.uptime_seconds {
        Some(seconds) => format!("mailstead {} is running, for {}.", status.version, duration(seconds)),
        None => format!("mailstead {} is not running.", status.version),
    };
    let waits = match (&status.oldest_queued, status.queued) {
        (Some(oldest), 1) => format!("1 waits to go out, since {oldest}."),
        (Some(oldest), count) => format!("{count} wait to go out, the oldest since {oldest}."),
        (None, _) => "Nothing waits to go out.".to_owned(),
    };
    let names = status.dns.as_ref().map(|told| format!("\n{told}")).unwrap_or_default();
    let expiring = match status.certificates_expiring.as_slice() {
        [] => String::new(),
        names => {
            format!("\nCERTIFICATES END SOON: {}. See `mailstead certificate list` for why.", names.join(", "))
        }
    };
    let reports = trouble(status.reports_of_failed_letters, status.reports_of_failed_tls);
    format!(
        "{running}\nDomains: {}. Accounts: {}, with {} of mail.\n{waits}{names}{expiring}{reports}",
        status.domains,
        status.accounts,
        bytes(status.used)
    )
}

/// What others' reports tell of trouble, on a line of its own.
fn trouble(letters: usize, tls: usize) -> String {
    let letters = (letters, "letters in your name that failed (forged ones are to fail)");
    let tls = (tls, "connections to you that failed for want of good TLS");
    let told: Vec<String> = [letters, tls]
        .into_iter()
        .filter(|(number, _)| *number > 0)
        .map(|(number, what)| match number {
            1 => format!("1 report of the last 30 days tells of {what}"),
            _ => format!("{number} reports of the last 30 days tell of {what}"),
        })
        .collect();
    if told.is_empty() {
        return String::new();
    }
    format!("\n{}: see `mailstead report list`.", told.join(", and "))
}

fn duration(seconds: u64) -> String {
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3_600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) => count(seconds, "second"),
        (0, 0, minutes) => count(minutes, "minute"),
        (0, hours, minutes) => format!("{} {}", count(hours, "hour"), count(minutes, "minute")),
        (days, hours, _) => format!("{} {}", count(days, "day"), count(hours, "hour")),
    }
}

fn reports(list: &[ReportView]) -> String {
    if list.is_empty() {
        return "There is no report yet. They come to dmarc-reports@ and tls-reports@ your domain, once its records in \
                DNS ask for them."
            .to_owned();
    }
    let rows = list.iter().map(|report| {
        let day = |time: &Option<String>| time.as_deref().and_then(|time| time.get(..10)).unwrap_or("").to_owned();
        let number = |number: Option<u64>| number.map(|number| number.to_string()).unwrap_or_default();
        let who = match &report.problem {
            None => report.organisation.clone().unwrap_or_default(),
            Some(problem) => format!("can't be read: {problem}"),
        };
        let (begin, kind) = (day(&report.begin.clone().or_else(|| Some(report.received.clone()))), &report.kind);
        let (good, bad) = (number(report.good), number(report.bad));
        vec![report.id.to_string(), begin, kind.to_uppercase(), report.domains.join(", "), good, bad, who]
    });
    table(&["REPORT", "DAY", "ON", "ABOUT", "GOOD", "BAD", "BY"], rows)
}

fn report(report: &ReportDetail) -> String {
    let from = report.view.from.as_deref().unwrap_or("nobody");
    let mut text: String = report.sentences.iter().map(|sentence| printable(sentence) + "\n").collect();
    let (received, trace) = (&report.view.received, &report.trace);
    let proof = match &report.view.proved {
        Some(domain) => format!("proved to be from {domain}"),
        None => "which is not proved: anybody may have sent it".to_owned(),
    };
    text += &printable(&format!("(It came at {received} from {from}, {proof}, as message {trace}.)"));
    text
}

/// "1 second", "2 seconds".
fn count(number: u64, unit: &str) -> String {
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// Bytes as people read them, in powers of 1024.
pub(crate) fn bytes(number: u64) -> String {
    let units = ["KB", "MB", "GB", "TB"];
    let mut value = number as f64;
    let mut unit = "bytes";
    for next in units {
        if value < 1024.0 {
            break;
        }
        value /= 1024.0;
        unit = next;
    }
    if unit == "bytes" { count(number, "byte") } else { format!("{value:.1} {unit}") }
}

/// What comes from peers must not drive the terminal.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Columns as wide as their widest cell; cells made printable.
fn table(head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> String {
    let head: Vec<String> = head.iter().map(|&cell| cell.to_owned()).collect();
    let all: Vec<Vec<String>> =
        std::iter::once(head).chain(rows.map(|row| row.iter().map(|cell| printable(cell)).collect())).collect();
    let columns = all.iter().map(Vec::len).max().unwrap_or_default();
    let width = |column: usize| all.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max();
    let widths: Vec<usize> = (0..columns).map(|column| width(column).unwrap_or_default()).collect();
    let mut text = String::new();
    for row in &all {
        let line: String =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}  ", width = *width)).collect();
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn bytes_are_told_in_units_of_their_size() {
        assert_eq!(bytes(0), "0 bytes");
        assert_eq!(bytes(1), "1 byte");
        assert_eq!(bytes(1023), "1023 bytes");
        assert_eq!(bytes(1536), "1.5 KB");
        assert_eq!(bytes(10 << 30), "10.0 GB");
    }

    #[test]
    fn one_is_told_in_the_singular() {
        assert_eq!(duration(1), "1 second");
        assert_eq!(duration(59), "59 seconds");
        assert_eq!(duration(3_660), "1 hour 1 minute");
        assert_eq!(duration(2 * 86_400), "2 days 0 hours");
    }

    #[test]
    fn trouble_in_reports_is_one_sentence() {
        assert_eq!(trouble(0, 0), "");
        assert_eq!(
            trouble(2, 1),
            "\n2 reports of the last 30 days tell of letters in your name that failed (forged ones are to fail), and \
             1 report of the last 30 days tells of connections to you that failed for want of good TLS: see \
             `mailstead report list`."
        );
    }

    #[test]
    fn a_peers_words_can_not_drive_the_terminal() {
        let evil = QueueView {
            id: 1,
            trace: "0".to_owned(),
            from: String::new(),
            size: 1,
            created: String::new(),
            due: String::new(),
            attempts: 1,
            held: false,
            tls: TlsNeed::Required,
            recipients: vec![mailstead_web::control::RecipientView {
                address: "a@b.test".to_owned(),
                state: RecipientState::Waiting,
                last: Some("550 \u{1b}[2Jgone".to_owned()),
            }],
        };
        assert!(!queue(&[evil]).contains('\u{1b}'));
    }

    #[test]
    fn columns_line_up() {
        let shown = table(&["A", "B"], [vec!["long cell".to_owned(), "x".to_owned()]].into_iter());
        assert_eq!(shown, "A          B\nlong cell  x\n");
    }
}
