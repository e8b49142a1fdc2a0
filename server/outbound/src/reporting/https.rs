//! A TLS report to a place in the web (RFC 8460 3, 5.5): bounded in time, by a verified certificate, never into our own
//! network.

use std::time::Duration;

use mailstead_net::https;
use tokio::time::timeout;

use crate::Context;
use crate::sts::connect_https;

/// The whole delivery.
const PATIENCE: Duration = Duration::from_secs(60);
/// What of an answer is read.
const MAX_ANSWER: usize = 64 << 10;

/// Brings it there.
///
/// # Errors
/// Why not, without a full stop.
pub(super) async fn post(context: &Context, url: &str, media_type: &str, bytes: &[u8]) -> Result<(), String> {
    let (host, path) = split(url).ok_or_else(|| format!("{} is no place reports can go to", url.escape_debug()))?;
    let posting = async {
        let stream = connect_https(context, host).await?;
        https::post(stream, host, path, media_type, bytes, MAX_ANSWER).await
    };
    match timeout(PATIENCE, posting).await {
        Ok(Ok(answer)) if (200..300).contains(&answer.status) => Ok(()),
        Ok(Ok(answer)) => Err(format!("{host} answers with status {}", answer.status)),
        Ok(Err(why)) => Err(why),
        Err(_) => Err(format!("{host} took too long")),
    }
}

/// Host and path of an `https` URL without user, port or literal address: such places are for no one's reports.
fn split(url: &str) -> Option<(&str, &str)> {
    let rest = url.get(..8).filter(|scheme| scheme.eq_ignore_ascii_case("https://")).and_then(|_| url.get(8..))?;
    let rest = rest.split('#').next()?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (host, path) = rest.split_at_checked(end)?;
    let is_name = host.contains('.')
        && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-'))
        && host.parse::<std::net::IpAddr>().is_err();
    let is_path = path.is_empty() || (path.starts_with('/') && path.bytes().all(|byte| byte.is_ascii_graphic()));
    (is_name && is_path).then_some((host, if path.is_empty() { "/" } else { path }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_plain_names_are_places_for_reports() {
        for (url, place) in [
            ("https://r.world.test/v1?d=x#y", Some(("r.world.test", "/v1?d=x"))),
            ("HTTPS://r.world.test", Some(("r.world.test", "/"))),
            ("https://r.world.test:8443/", None),
            ("https://user@r.world.test/", None),
            ("https://127.0.0.1/", None),
            ("https://[::1]/", None),
            ("https://localhost/", None),
            ("https://r.world.test/a b", None),
            ("https://r.world.test/\r\nX: y", None),
            ("https://r.world.test?x", None),
            ("http://r.world.test/", None),
            ("https:/", None),
        ] {
            assert_eq!(split(url), place, "{url}");
        }
    }
}
