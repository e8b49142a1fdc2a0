//! `/` for operators: is the mail healthy? It shows what was found out before, and has it found out anew meanwhile.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::State;
use axum::response::{Html, Response};
use axum::routing::post;
use mailstead_admin_ui::overview::{self, Domain, Figure, Finding, Letter, View};
use mailstead_admin_ui::parts::{Light, size};
use mailstead_advice::doctor::{self, Remedy};

use super::{Nothing, activity, cut, domains};
use crate::control::{Answer, CertificateView, DomainView, LetterView, Request, StatusView};
use crate::site::form::Checked;
use crate::site::problem::Problem;
use crate::site::visit::{Governor, Visit};
use crate::site::{Page, Site, lead};

/// Under load figures may be that old; a change that somebody made shows at once.
const STEADY: Duration = Duration::from_secs(1);
/// Letters shown.
const LETTERS: usize = 6;
/// Characters of an address shown.
const MAX_ADDRESS: usize = 60;

pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new().route("/check", post(check))
}

/// Waits for the result: without a script nobody would see it come.
async fn check(_: Governor, State(site): State<Arc<Site>>, Checked(Nothing {}): Checked<Nothing>) -> Response {
    site.go_round().await;
    lead("/")
}

/// The page.
///
/// # Errors
/// What is shown instead.
pub(crate) async fn show(visit: &Visit, site: &Arc<Site>) -> Page {
    site.keep_rounds_fresh();
    let facts = facts(site).await?;
    let round = site.desk.rounds.latest();
    let domains: Vec<Domain> = facts.domains.iter().map(|view| domain(site, view)).collect();
    // Where a domain can't be found nothing is healthy, however well the host is.
    let unsound = domains.iter().filter(|domain| domain.light == Light::Bad).map(unsound);
    let findings = unsound.chain(round.iter().flat_map(|round| &round.host.findings).map(finding)).collect();
    let view = View {
        findings,
        looked: round.as_ref().map(|round| round.host.at.clone()),
        looking: site.desk.rounds.is_under_way(),
        figures: figures(&facts),
        domains,
        letters: facts.letters.clone(),
    };
    Ok(Html(overview::page(&site.frame(visit, "Overview", "/"), &view)))
}

/// What the figures tell of.
#[derive(Debug)]
pub(crate) struct Facts {
    commits: u64,
    at: Instant,
    status: StatusView,
    certificate: Option<CertificateView>,
    domains: Vec<DomainView>,
    letters: Vec<Letter>,
}

/// What the figures told of last.
#[derive(Debug, Default)]
pub(crate) struct Memory(Mutex<Option<Arc<Facts>>>);

async fn facts(site: &Site) -> Result<Arc<Facts>, Problem> {
    let commits = site.store.commits()?;
    let known = site.desk.overview.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(known) = known.filter(|known| known.at.elapsed() < STEADY || known.commits == commits) {
        return Ok(known);
    }
    let Answer::Status(status) = site.ask(Request::Status).await? else { return Err(Problem::not_found()) };
    let Answer::Domains(domains) = site.ask(Request::DomainList).await? else { return Err(Problem::not_found()) };
    let certificate = match site.ask(Request::CertificateList).await? {
        Answer::Certificates(list) => list.into_iter().next(),
        _ => None,
    };
    let letters = match site.ask(Request::Activity { address: None, before: None, limit: LETTERS }).await? {
        Answer::Activity(list) => list.into_iter().map(letter).collect(),
        _ => Vec::new(),
    };
    let facts = Arc::new(Facts { commits, at: Instant::now(), status, certificate, domains, letters });
    *site.desk.overview.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Arc::clone(&facts));
    Ok(facts)
}

fn figures(facts: &Facts) -> Vec<Figure> {
    let status = &facts.status;
    let accounts = status.accounts;
    let certificate = facts.certificate.as_ref();
    vec![
        Figure {
            title: "Waiting to go out",
            figure: status.queued.to_string(),
            words: match (&status.oldest_queued, status.queued) {
                (None, _) => "Everything has gone out.".to_owned(),
                (Some(_), 1) => "since ".to_owned(),
                (Some(_), _) => "the oldest since ".to_owned(),
            },
            at: status.oldest_queued.clone(),
            page: Some("/queue"),
        },
        Figure {
            title: "Mail kept",
            figure: size(status.used),
            words: format!("in {accounts} account{}", if accounts == 1 { "" } else { "s" }),
            at: None,
            page: Some("/accounts"),
        },
        Figure {
            title: "Certificate",
            figure: match certificate {
                None => "none".to_owned(),
                Some(one) if one.last_error.is_some() => "trouble".to_owned(),
                Some(one) if one.expires_soon => "ends soon".to_owned(),
                Some(_) => "valid".to_owned(),
            },
            words: match certificate.and_then(|one| one.expires.as_ref()) {
                Some(_) => "until ".to_owned(),
                None => "The server's name is not proved.".to_owned(),
            },
            at: certificate.and_then(|one| one.expires.clone()),
            page: Some("/certificates"),
        },
        Figure {
            title: "Running for",
            figure: span(status.uptime_seconds.unwrap_or_default()),
            words: format!("Mailstead {}", status.version),
            at: None,
            page: Some("/logs"),
        },
    ]
}

fn span(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    format!("{count} {unit}{}", if count == 1 { "" } else { "s" })
}

fn finding(found: &doctor::Finding) -> Finding {
    let doctor::Finding { title, light, what, why, todo, remedies, .. } = found.clone();
    let (mut page, mut commands) = (None, Vec::new());
    for remedy in remedies {
        match remedy {
            Remedy::Page(path) => page = Some(named(path)),
            Remedy::Command(command) => commands.push(command),
        }
    }
    Finding { light: colour(light), title, what, why, todo, page, commands }
}

/// A page of ours with what it is called.
fn named(path: String) -> (String, String) {
    let name = path.trim_start_matches('/').to_owned();
    (path, name)
}

fn colour(light: doctor::Light) -> Light {
    match light {
        doctor::Light::Good => Light::Good,
        doctor::Light::Unknown => Light::Unknown,
        doctor::Light::Warning => Light::Warn,
        doctor::Light::Bad => Light::Bad,
    }
}

fn letter(view: LetterView) -> Letter {
    let outcome = activity::outcome(view.outcome);
    let first = view.to.first().map_or_else(|| "nobody".to_owned(), |to| cut(to, MAX_ADDRESS));
    Letter {
        at: view.at,
        from: view.from.map_or_else(|| "a report".to_owned(), |from| cut(&from, MAX_ADDRESS)),
        to: match view.to.len() {
            0 | 1 => first,
            count => format!("{first} and {} more", count - 1),
        },
        light: outcome.light,
        words: outcome.word,
        page: format!("/activity/{}", view.trace),
    }
}

fn domain(site: &Arc<Site>, view: &DomainView) -> Domain {
    let known = mailstead_message::Domain::parse(&view.domain).ok();
    let (light, words) = match &known {
        Some(known) => domains::standing(site, known),
        None => (Light::Unknown, "see its records".to_owned()),
    };
    Domain { name: view.domain.clone(), light, words, page: format!("/domains/{}", view.domain) }
}

fn unsound(domain: &Domain) -> Finding {
    Finding {
        light: Light::Bad,
        title: format!("DNS of {}", domain.name),
        what: format!("{}.", domain.words),
        why: "By these records others find where mail goes, and know that yours is yours.".to_owned(),
        todo: Some("Publish what its page shows as missing or wrong.".to_owned()),
        page: Some((domain.page.clone(), "its records".to_owned())),
        commands: Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::net::SocketAddr;

    use mailstead_advice::doctor::{Doctor, Patient, Probes, ThisHost};
    use mailstead_message::Address;
    use mailstead_net::BoxFuture;
    use mailstead_net::dns::{Answer, Data, Dns, DnsError, Kind};

    use super::*;
    use crate::http::tests::{Browser, governed};

    struct Nowhere;

    impl Dns for Nowhere {
        fn ask<'a>(&'a self, _: &'a str, _: Kind) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
            Box::pin(std::future::ready(Err(DnsError::NoName)))
        }
    }

    async fn doctored(folder: &std::path::Path) -> Site {
        let mut site = governed(folder).await;
        let patient = Patient {
            hostname: "mail.home.test".to_owned(),
            data: folder.to_owned(),
            running: true,
            listen: vec![("smtp".to_owned(), SocketAddr::from(([127, 0, 0, 1], 2525)))],
            sessions: 10,
            own_addresses: Vec::new(),
            delivery_port: 25,
            dns: Arc::new(Nowhere),
            probes: Probes { mail_servers: Vec::new(), block_lists: Vec::new(), time_servers: Vec::new() },
        };
        site.operator = site.operator.with_doctor(Arc::new(Doctor::new(patient, Arc::new(ThisHost))));
        site
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_operator_sees_what_is_wrong_and_what_to_do_and_can_have_it_looked_at_again() {
        let folder = tempfile::tempdir().unwrap();
        let site = doctored(folder.path()).await;
        let mut browser = Browser::signed_in(site.clone(), "alice@home.test", "alice-password").await;
        let page = browser.get("/").await;
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("Check again"), "{page}");
        let forged = browser.post("/check", "", false).await;
        assert!(forged.starts_with("HTTP/1.1 403"), "{forged}");
        let before = site.desk.checks();
        assert!(browser.post("/check", "", true).await.contains("location: /\r\n"));
        assert!(site.desk.checks() > before, "pages that follow are told");
        let page = browser.get("/").await;
        assert!(
            page.contains("mail.home.test has no address in DNS.") && page.contains("Your mail needs you"),
            "{page}"
        );
        assert!(page.len() < 100 << 10, "{} bytes", page.len());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn figures_follow_what_is_changed() {
        let folder = tempfile::tempdir().unwrap();
        let site = doctored(folder.path()).await;
        let mut browser = Browser::signed_in(site.clone(), "alice@home.test", "alice-password").await;
        assert!(browser.get("/").await.contains("in 1 account<"));
        site.store.add_account(Address::parse("bob@home.test").unwrap(), "bobs-password", None).await.unwrap();
        let deadline = Instant::now() + Duration::from_secs(20);
        while !browser.get("/").await.contains("in 2 accounts<") {
            assert!(Instant::now() < deadline, "the figures are old");
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn others_are_shown_nothing_of_it() {
        let folder = tempfile::tempdir().unwrap();
        let site = doctored(folder.path()).await;
        site.store.add_account(Address::parse("bob@home.test").unwrap(), "bobs-password", None).await.unwrap();
        let mut stranger = Browser::new(site.clone());
        assert!(!stranger.get("/").await.contains("Check again"));
        let mut bob = Browser::signed_in(site, "bob@home.test", "bobs-password").await;
        assert!(bob.get("/").await.contains("location: /me\r\n"));
        bob.get("/login").await;
        assert!(!bob.post("/check", "", true).await.contains("location: /\r\n"));
    }
}
