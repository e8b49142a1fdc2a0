//! What went wrong at the authority, in words an operator understands.

use std::error::Error;

use rustls_acme::acme::{AcmeError, Problem};
use serde::Deserialize;

use super::order::Failure;
use super::schedule::Blame;

/// Characters of an authority's own words that are kept.
const MAX_WORDS: usize = 500;

/// A problem document (RFC 7807), as far as it matters.
#[derive(Deserialize)]
struct Document {
    #[serde(rename = "type", default)]
    kind: String,
    #[serde(default)]
    detail: String,
}

/// The authority rejected the nonce; the request may simply be made again.
pub(super) fn is_stale_nonce(error: &AcmeError) -> bool {
    document(error).is_some_and(|(_, document)| document.kind.ends_with(":badNonce"))
}

/// What failed, and whose fault it seems to be.
pub(super) fn of(error: &AcmeError) -> Failure {
    let Some((status, document)) = document(error) else {
        return Failure::passing(format!("the authority can't be asked: {}", tidy(&root(error))));
    };
    let kind = document.kind.rsplit(':').next().unwrap_or_default();
    let words = format!("the authority said no: {}", tidy(&described(kind, &document.detail)));
    let blame = match (status, kind) {
        (429, _) | (_, "rateLimited") => Blame::TooOften,
        (500.., _) | (_, "serverInternal" | "badNonce") => Blame::Passing,
        _ => Blame::Refused,
    };
    Failure { blame, words }
}

/// A problem the authority tells of within an order or a challenge.
pub(super) fn problem(problem: &Problem) -> String {
    let kind = problem.typ.as_deref().unwrap_or_default();
    let kind = kind.rsplit(':').next().unwrap_or_default();
    tidy(&described(kind, problem.detail.as_deref().unwrap_or_default()))
}

fn described(kind: &str, detail: &str) -> String {
    match (kind, detail) {
        ("", "") => "it does not say why".to_owned(),
        ("", detail) => detail.to_owned(),
        (kind, "") => kind.to_owned(),
        (kind, detail) => format!("{detail} ({kind})"),
    }
}

/// One line without control characters, and not too long.
fn tidy(text: &str) -> String {
    let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_WORDS).collect();
    text.trim().to_owned()
}

/// The innermost cause.
fn root(error: &AcmeError) -> String {
    let mut innermost: &dyn Error = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    let text = innermost.to_string();
    // The HTTP client tells of its errors in Rust's own notation, the system's words within.
    let marked = text.split_once("message: \"").or_else(|| text.split_once("error: \""));
    let quoted = marked.and_then(|(_, rest)| rest.split_once('"'));
    quoted.map_or(text.clone(), |(words, _)| words.to_owned())
}

/// The HTTP status and the problem document of a request that was answered with an error. The client's type for it is
/// not public, but its text is: `non 2xx http status: 400 "{\"type\": …}"`.
fn document(error: &AcmeError) -> Option<(u16, Document)> {
    let AcmeError::HttpRequest(inner) = error else { return None };
    answered(&inner.to_string())
}

fn answered(text: &str) -> Option<(u16, Document)> {
    let (status, body) = text.strip_prefix("non 2xx http status: ")?.split_once(' ')?;
    let status = status.parse().ok()?;
    // Rust's notation of a string is JSON's as long as there is nothing strange in it.
    let body: String = serde_json::from_str(body).unwrap_or_default();
    let nothing = || Document { kind: String::new(), detail: format!("HTTP status {status}") };
    Some((status, serde_json::from_str(&body).unwrap_or_else(|_| nothing())))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn an_authoritys_answer_is_read_from_what_the_client_tells() {
        let body = "{\n  \"type\": \"urn:ietf:params:acme:error:badNonce\",\n  \"detail\": \"stale é \\\"x\\\"\",\n  \"status\": 400\n}";
        let (status, document) = answered(&format!("non 2xx http status: 400 {body:?}")).unwrap();
        assert_eq!((status, document.kind.as_str()), (400, "urn:ietf:params:acme:error:badNonce"));
        assert_eq!(document.detail, "stale é \"x\"");
        let (status, document) = answered("non 2xx http status: 502 \"<html>\"").unwrap();
        assert_eq!((status, document.detail.as_str()), (502, "HTTP status 502"));
        assert!(answered("io error: broken").is_none());
    }

    #[test]
    fn what_the_authority_says_can_not_drive_a_terminal_or_fill_a_log() {
        let evil = Problem { typ: Some("urn:x:dns".to_owned()), detail: Some("a\u{1b}[2J\nb".repeat(1_000)) };
        let told = problem(&evil);
        assert!(told.chars().count() <= MAX_WORDS && !told.contains(char::is_control), "{told}");
    }

    #[test]
    fn a_server_that_is_down_is_told_in_the_systems_words() {
        let refused = std::io::Error::from_raw_os_error(111);
        let failure = of(&AcmeError::Io(refused));
        assert_eq!(failure.blame, Blame::Passing);
        assert!(failure.words.contains("can't be asked: Connection refused"), "{}", failure.words);
    }
}
