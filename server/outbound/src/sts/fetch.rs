//! Fetching a domain's policy file (RFC 8461 3.3): from exactly that host, by a verified certificate, without steps
//! aside, in bounded time and space.

use std::net::SocketAddr;
use std::time::Duration;

use mailstead_message::Domain;
use mailstead_net::https::{self, Fetched};
use mailstead_net::{ClientTls, Stream, reach};
use mailstead_store::TlsResult;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Policy;
use crate::Context;

/// Where the policy is, on the host `mta-sts.` of the domain.
pub const PATH: &str = "/.well-known/mta-sts.txt";
/// The largest policy file (RFC 8461 3.3 suggests 64 KB).
const MAX_FILE: usize = 64 << 10;
/// HTTPS, but in tests and the demo.
const PORT: u16 = 443;
/// Addresses of the policy host that are tried.
const MAX_ADDRESSES: usize = 4;

/// Why there is no policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct NotFetched {
    /// For the report about it.
    pub(super) result: TlsResult,
    /// In words, without a full stop.
    pub(super) text: String,
}

/// Fetches a domain's policy.
pub(super) async fn fetch(context: &Context, domain: &Domain) -> Result<Policy, NotFetched> {
    let limit = context.patience.policy;
    match timeout(limit, within(context, domain)).await {
        Ok(result) => result,
        Err(_) => Err(failed(format!("it did not come within {}", seconds(limit)))),
    }
}

async fn within(context: &Context, domain: &Domain) -> Result<Policy, NotFetched> {
    let host = format!("mta-sts.{domain}");
    let stream = connect(context, &host).await?;
    let file = https::get(stream, &host, PATH, MAX_FILE).await.map_err(failed)?;
    read(file)
}

fn read(file: Fetched) -> Result<Policy, NotFetched> {
    match file.status {
        200 => {}
        300..400 => return Err(failed(format!("its host answers with a redirection ({})", file.status))),
        status => return Err(failed(format!("its host answers with status {status}"))),
    }
    let kind = file.content_type.unwrap_or_default();
    if !is_plain_text(&kind) {
        let shown: String = kind.chars().take(100).collect();
        return Err(invalid(format!("it is not plain text but \"{}\"", shown.escape_debug())));
    }
    let text = String::from_utf8(file.body).map_err(|_| invalid("it is not text"))?;
    Policy::parse(&text).map_err(|error| invalid(error.to_string()))
}

/// `text/plain`, whatever its parameters. A host that names no type at all is believed: what it sent is parsed anyway.
fn is_plain_text(content_type: &str) -> bool {
    let kind = content_type.split(';').next().unwrap_or_default().trim();
    kind.is_empty() || kind.eq_ignore_ascii_case("text/plain")
}

/// Opens a TLS connection to any host of the public web, whose certificate is for exactly that name.
///
/// # Errors
/// Why not, without a full stop.
pub(crate) async fn connect_https(context: &Context, host: &str) -> Result<Stream, String> {
    connect(context, host).await.map_err(|error| error.text)
}

/// Opens a TLS connection to the policy host, whose certificate is for exactly that name.
async fn connect(context: &Context, host: &str) -> Result<Stream, NotFetched> {
    let policy = &context.policy;
    let found = context.dns.addresses(host).await.map_err(|error| failed(format!("{host} can't be found: {error}")))?;
    let port = policy.port_overrides.get(host).copied().unwrap_or(PORT);
    let mut last = failed(format!("{host} has no address of the public internet"));
    let allowed = found.records.into_iter().filter(|address| policy.allow_private || reach::is_public(*address));
    for address in allowed.take(MAX_ADDRESSES) {
        let tcp = match timeout(context.patience.connect, TcpStream::connect(SocketAddr::new(address, port))).await {
            Ok(Ok(tcp)) => tcp,
            Ok(Err(error)) => {
                last = failed(format!("{host} [{address}] can't be reached: {error}"));
                continue;
            }
            Err(_) => {
                last = failed(format!("{host} [{address}] does not answer"));
                continue;
            }
        };
        return secure(Stream::plain(tcp), &policy.verified_tls, host).await;
    }
    Err(last)
}

async fn secure(stream: Stream, tls: &ClientTls, host: &str) -> Result<Stream, NotFetched> {
    stream.connect_tls(tls, host).await.map_err(|fault| NotFetched {
        result: TlsResult::StsWebpkiInvalid,
        text: format!("TLS with {host} failed: {fault}"),
    })
}

fn failed(text: impl Into<String>) -> NotFetched {
    NotFetched { result: TlsResult::StsPolicyFetchError, text: text.into() }
}

fn invalid(text: impl Into<String>) -> NotFetched {
    NotFetched { result: TlsResult::StsPolicyInvalid, text: text.into() }
}

fn seconds(time: Duration) -> String {
    format!("{} seconds", time.as_secs().max(1))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn answer(status: u16, kind: Option<&str>, body: &[u8]) -> Result<(), (TlsResult, String)> {
        let file = Fetched { status, content_type: kind.map(str::to_owned), body: body.to_vec() };
        read(file).map(drop).map_err(|error| (error.result, error.text))
    }

    #[test]
    fn an_answer_is_a_policy_only_if_it_is_200_and_plain_text() {
        let good = b"version: STSv1\nmode: none\nmax_age: 1\n";
        for kind in [None, Some("text/plain"), Some("Text/Plain; charset=utf-8"), Some("")] {
            assert_eq!(answer(200, kind, good), Ok(()), "{kind:?}");
        }
        for (status, kind, body, result) in [
            (301, "text/plain", &good[..], TlsResult::StsPolicyFetchError),
            (304, "text/plain", good, TlsResult::StsPolicyFetchError),
            (404, "text/plain", good, TlsResult::StsPolicyFetchError),
            (204, "text/plain", b"", TlsResult::StsPolicyFetchError),
            (200, "text/html", good, TlsResult::StsPolicyInvalid),
            (200, "text/plain", b"\xff", TlsResult::StsPolicyInvalid),
            (200, "text/plain", b"nonsense", TlsResult::StsPolicyInvalid),
        ] {
            assert_eq!(answer(status, Some(kind), body).unwrap_err().0, result, "{status} {kind}");
        }
    }
}
