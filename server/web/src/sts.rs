//! Our domains' MTA-STS policies (RFC 8461 3.2, 3.3): made when they are asked for, from what the store says then.

use std::sync::Arc;

use axum::Extension;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use mailstead_message::Domain;
use mailstead_outbound::sts::Policy;
use mailstead_store::{Store, StoreError};

use crate::names::in_host;
use crate::site::Site;

/// The name a client asked for in its TLS handshake, on connections that have TLS.
#[derive(Debug, Clone)]
pub(crate) struct Sni(pub(crate) Option<String>);

/// The policy one of our domains has now; `None` when the domain is not ours. `hostname` is the host that takes its
/// mail.
///
/// # Errors
/// The store can't be read.
pub fn policy(store: &Store, domain: &Domain, hostname: &str) -> Result<Option<Policy>, StoreError> {
    Ok(store.sts_mode(domain)?.map(|mode| Policy::own(mode, hostname)))
}

/// Serves the policy of the domain whose policy host the client asked for, in the handshake and in the request alike.
pub(crate) async fn serve(State(site): State<Arc<Site>>, sni: Option<Extension<Sni>>, headers: HeaderMap) -> Response {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let Some(domain) = policy_domain(host) else { return nothing() };
    // Without TLS anybody on the way could have written the policy.
    let Some(Extension(Sni(asked))) = sni else { return nothing() };
    if asked.as_deref().and_then(policy_domain).as_ref() != Some(&domain) {
        return (StatusCode::MISDIRECTED_REQUEST, "this is not the name of the TLS handshake\n").into_response();
    }
    match policy(&site.store, &domain, &site.settings.host) {
        Ok(Some(policy)) => ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], policy.to_string()).into_response(),
        Ok(None) => nothing(),
        Err(error) => {
            tracing::error!(%domain, %error, "the MTA-STS policy can't be told");
            (StatusCode::SERVICE_UNAVAILABLE, "the policy can't be told at the moment\n").into_response()
        }
    }
}

/// The domain whose policy host is meant, a port aside.
fn policy_domain(host: &str) -> Option<Domain> {
    Domain::parse(in_host(host)?.as_str().strip_prefix("mta-sts.")?).ok()
}

fn nothing() -> Response {
    (StatusCode::NOT_FOUND, "there is no policy here\n").into_response()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn the_policy_host_names_its_domain() {
        let found = |host: &str| policy_domain(host).map(|domain| domain.to_string());
        assert_eq!(found("MTA-STS.Home.test:443").as_deref(), Some("home.test"));
        assert_eq!(found("mta-sts.home.test.").as_deref(), Some("home.test"));
        for strange in ["", "home.test", "xmta-sts.home.test", "mta-sts.", "mta-sts.a b", "[::1]:443"] {
            assert_eq!(found(strange), None, "{strange}");
        }
    }
}
