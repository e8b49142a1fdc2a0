//! What others report of our mail.

use super::books::Books;
use super::finding::{Finding, Subject};
use super::words;

pub(super) const SUBJECT: Subject = Subject {
    id: "reports",
    title: "Reports from others",
    why: "They see what you can't: letters in your name that could not be proved to be yours, and connections that failed.",
};

pub(super) fn look(books: &Books) -> Vec<Finding> {
    let (letters, tls) = books.failed;
    let mut told = Vec::new();
    if letters > 0 {
        told.push(format!("{} of letters in your name that were not proved to be yours", tell(letters)));
    }
    if tls > 0 {
        told.push(format!("{} of connections to this server whose TLS failed", tell(tls)));
    }
    if told.is_empty() {
        return vec![SUBJECT.good("In the last 30 days nobody reported failures.")];
    }
    let advice = if tls > 0 {
        "Read them: failed TLS is often a certificate or an MTA-STS record that is not right."
    } else {
        "Read them: if the senders are yours, mend SPF and DKIM; if they are strangers, a stricter DMARC policy helps."
    };
    let what = format!("In the last 30 days {}.", told.join(", and "));
    vec![SUBJECT.warning(what).todo(advice).page("/reports").command("mailstead report list")]
}

fn tell(count: usize) -> String {
    format!("{} {}", words::number(count, "report"), if count == 1 { "tells" } else { "tell" })
}
