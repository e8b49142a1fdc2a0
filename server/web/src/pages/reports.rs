//! `/reports`: what other servers say of our domains.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, Query, State};
use axum::response::Html;
use axum::routing::get;
use mailstead_admin_ui::parts::Light;
use mailstead_admin_ui::reports::{self, Chart, Day, Line, Source, View};
use mailstead_message::Domain;
use mailstead_message::report::{DmarcOutcome, Findings, Report, TlsOutcome, TlsPolicy};
use serde::Deserialize;

use super::{Place, cut};
use crate::control::{Answer, DayDigest, ReportDetail, ReportDigest, ReportView, Request};
use crate::site::problem::Problem;
use crate::site::visit::Governor;
use crate::site::{Page, Site};

const HERE: &str = "/reports";
/// Reports on one page.
const PAGE: usize = 40;
/// Reports in all.
const MOST: usize = 1_000;
/// Rows shown of one report.
const ROWS: usize = 60;
/// Sentences shown of one report.
const SENTENCES: usize = 40;
/// Characters shown of what a stranger wrote.
const MAX_WORDS: usize = 200;

pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new().route(HERE, get(list)).route("/reports/{id}", get(show))
}

#[derive(Deserialize)]
struct Wanted {
    #[serde(default)]
    domain: String,
    #[serde(flatten)]
    place: Place,
}

async fn list(governor: Governor, State(site): State<Arc<Site>>, Query(wanted): Query<Wanted>) -> Page {
    let domain = match wanted.domain.trim() {
        "" => None,
        text => Some(Domain::parse(text).map_err(|_| Problem::not_found())?),
    };
    let Answer::Domains(domains) = site.ask(Request::DomainList).await? else { return Err(Problem::not_found()) };
    let listed = site.ask(Request::ReportList { domain: domain.clone(), limit: MOST }).await?;
    let Answer::Reports(all) = listed else { return Err(Problem::not_found()) };
    let Answer::ReportDigest(digest) = site.ask(Request::ReportDigest { domain: domain.clone() }).await? else {
        return Err(Problem::not_found());
    };
    let domain = domain.map(|domain| domain.to_unicode()).unwrap_or_default();
    let path = match domain.as_str() {
        "" => HERE.to_owned(),
        name => format!("{HERE}?{}", serde_urlencoded::to_string([("domain", name)]).unwrap_or_default()),
    };
    let (page, newer, older) = wanted.place.around(&path, all.len(), PAGE);
    let ReportDigest { days, sources } = digest;
    let view = View {
        domains: domains.into_iter().map(|domain| domain.domain).take(200).collect(),
        domain,
        letters: chart(&days, |day| (day.letters_good, day.letters_bad)),
        connections: chart(&days, |day| (day.tls_good, day.tls_bad)),
        sources: sources.into_iter().map(|one| Source { address: one.address, good: one.good, bad: one.bad }).collect(),
        reports: all.into_iter().skip(page * PAGE).take(PAGE).map(line).collect(),
        newer,
        older,
    };
    Ok(Html(reports::page(&site.frame(&governor, "Reports", HERE), &view)))
}

fn chart(days: &[DayDigest], counts: fn(&DayDigest) -> (u64, u64)) -> Chart {
    let day = |day: &DayDigest| {
        let (good, bad) = counts(day);
        Day { date: day.day.clone(), good, bad }
    };
    Chart { days: days.iter().map(day).collect() }
}

fn kind(kind: &str) -> &'static str {
    if kind == "tls" { "TLS" } else { "Letters" }
}

fn line(view: ReportView) -> Line {
    let verdict = match (view.good, view.bad) {
        (Some(good), Some(0)) => Some((Light::Good, format!("{good} as they should be"))),
        (Some(good), Some(bad)) => Some((Light::Warn, format!("{bad} of {} not", good.saturating_add(bad)))),
        _ => None,
    };
    Line {
        id: view.id,
        who: who(&view),
        kind: kind(&view.kind),
        domains: cut(&view.domains.join(", "), MAX_WORDS),
        begin: view.begin.as_deref().unwrap_or(&view.received).chars().take(10).collect(),
        unproved: view.proved.is_none(),
        verdict,
    }
}

fn who(view: &ReportView) -> String {
    let who = view.organisation.as_deref().filter(|name| !name.trim().is_empty()).or(view.from.as_deref());
    cut(who.unwrap_or("somebody"), MAX_WORDS)
}

async fn show(governor: Governor, State(site): State<Arc<Site>>, Path(id): Path<String>) -> Page {
    let id = id.parse().map_err(|_| Problem::not_found())?;
    let detail = match site.ask(Request::ReportShow { id }).await {
        Ok(Answer::Report(detail)) => *detail,
        Ok(_) | Err(_) => return Err(Problem::not_found()),
    };
    Ok(Html(reports::report(&site.frame(&governor, "A report", HERE), &told(detail))))
}

fn told(detail: ReportDetail) -> reports::Report {
    let (columns, rows) = detail.report.map(|report| table(&report)).unwrap_or_default();
    reports::Report {
        who: who(&detail.view),
        domains: cut(&detail.view.domains.join(", "), MAX_WORDS),
        kind: kind(&detail.view.kind),
        begin: detail.view.begin,
        end: detail.view.end,
        sentences: detail.sentences.iter().take(SENTENCES).map(|sentence| cut(sentence, 2 * MAX_WORDS)).collect(),
        columns,
        more: rows.len().saturating_sub(ROWS),
        rows: rows.into_iter().take(ROWS).collect(),
        proved: detail.view.proved,
        trace: detail.trace,
        received: detail.view.received,
        name: detail.view.name.map(|name| cut(&name, MAX_WORDS)),
    }
}

/// The rows with the names of their columns, what happened most often first.
fn table(report: &Report) -> (Vec<&'static str>, Vec<Vec<String>>) {
    match &report.findings {
        Findings::Dmarc(rows) => {
            (vec!["Sent by", "Letters", "Proved", "DKIM", "SPF", "Done with them"], sorted(rows, letters))
        }
        Findings::Tls(rows) => (vec!["Server", "Sessions", "By", "Went"], sorted(rows, sessions)),
    }
}

fn sorted<T>(rows: &[(T, u64)], row: fn(&T, u64) -> Vec<String>) -> Vec<Vec<String>> {
    let mut rows: Vec<&(T, u64)> = rows.iter().collect();
    rows.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    rows.into_iter().map(|(what, count)| row(what, *count)).collect()
}

fn letters(row: &DmarcOutcome, count: u64) -> Vec<String> {
    let word = |aligned: bool| if aligned { "yes" } else { "no" }.to_owned();
    let done = match row.disposition.as_str() {
        "reject" => "refused",
        "quarantine" => "put aside",
        _ => "taken",
    };
    vec![
        row.source.to_canonical().to_string(),
        count.to_string(),
        word(row.passed()),
        word(row.dkim_aligned),
        word(row.spf_aligned),
        done.to_owned(),
    ]
}

fn sessions(row: &TlsOutcome, count: u64) -> Vec<String> {
    let policy = match row.policy {
        TlsPolicy::Sts { .. } => "MTA-STS",
        TlsPolicy::Tlsa { .. } => "DANE",
        TlsPolicy::NotFound => "no policy",
    };
    let (server, went) = match &row.failure {
        None => (None, "well".to_owned()),
        Some(failure) => (failure.mx.as_deref(), failure.result.as_str().to_owned()),
    };
    vec![cut(server.unwrap_or("any"), MAX_WORDS), count.to_string(), policy.to_owned(), went]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use mailstead_message::TraceId;
    use mailstead_message::report::{DmarcPolicy, DmarcPublished};
    use mailstead_store::{Acceptance, Brought, NewReport, Prepared, Timestamp};

    use super::*;
    use crate::http::tests::{Browser, site};

    fn row(source: &str, passed: bool) -> DmarcOutcome {
        let domain = Domain::parse("home.test").unwrap();
        DmarcOutcome {
            domain: domain.clone(),
            published: DmarcPublished {
                strict_dkim: false,
                strict_spf: false,
                policy: DmarcPolicy::Reject,
                subdomains: None,
                nonexistent: None,
                testing: false,
                percent: None,
                failure_options: None,
            },
            source: source.parse().unwrap(),
            disposition: DmarcPolicy::None,
            dkim_aligned: passed,
            spf_aligned: false,
            overrides: Vec::new(),
            header_from: domain,
            envelope_from: None,
            envelope_to: None,
            dkim: Vec::new(),
            spf: None,
        }
    }

    async fn receive(site: &Site, number: u32, organisation: &str, proved: bool, rows: Vec<(DmarcOutcome, u64)>) {
        let now = jiff::Timestamp::now().as_second();
        let trace = TraceId::new(1, number);
        let proved = proved.then(|| Domain::parse("world.test").unwrap());
        let brought = Brought { at: Timestamp(now), trace, from: None, proved };
        let report = Report {
            organisation: organisation.to_owned(),
            contact: String::new(),
            id: format!("<b>{number}</b>"),
            begin: now - 60,
            end: now,
            findings: Findings::Dmarc(rows),
            untold: 0,
        };
        let home = Domain::parse("home.test").unwrap();
        let letter = Acceptance {
            message: Prepared::from_bytes(b"").unwrap(),
            trace,
            received: Timestamp(now),
            deliveries: Vec::new(),
            queue: Vec::new(),
            story: Vec::new(),
            report: Some(NewReport::new(brought, vec![home], report).unwrap()),
        };
        site.store.accept(vec![letter]).await.unwrap();
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn reports_are_drawn_listed_and_told_and_nothing_of_them_is_markup() {
        let folder = tempfile::tempdir().unwrap();
        let site = site(folder.path(), None).await;
        let mut browser = Browser::operator(&site).await;
        assert!(browser.get("/reports").await.contains("No reports yet"));
        let rows = vec![(row("192.0.2.1", true), 17), (row("192.0.2.66", false), 3)];
        receive(&site, 1, "<script>alert(1)</script>", true, rows).await;
        receive(&site, 2, "Forger", false, vec![(row("192.0.2.99", false), 1_000)]).await;
        let page = browser.get("/reports").await;
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        for words in [
            "17 proved to be yours, 3 not proved",
            "192.0.2.66: 0 proved, 3 not",
            "3 of 20 not",
            "sender not proved",
            "&lt;script&gt;",
        ] {
            assert!(page.contains(words), "{words}: {page}");
        }
        assert!(!page.contains("192.0.2.99"), "what anybody may have sent is not drawn: {page}");
        assert!(!page.contains("<script>alert") && !page.contains("style="), "{page}");
        let id = site.store.reports(None, 10).unwrap().last().unwrap().id;
        let page = browser.get(&format!("/reports/{id}")).await;
        assert!(page.contains("proved to be from world.test") && page.contains("&lt;b&gt;1"), "{page}");
        assert!(page.contains("192.0.2.66") && !page.contains("<b>1") && !page.contains("<script>alert"), "{page}");
        assert!(browser.get("/reports?domain=home.test").await.contains("sender not proved"));
        assert!(browser.get("/reports?domain=%3Cscript%3E").await.starts_with("HTTP/1.1 404"));
        assert!(browser.get("/reports/999").await.starts_with("HTTP/1.1 404"));
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn many_reports_make_small_pages() {
        let folder = tempfile::tempdir().unwrap();
        let site = site(folder.path(), None).await;
        let mut browser = Browser::operator(&site).await;
        let rows: Vec<_> = (0..200_u8).map(|number| (row(&format!("192.0.2.{number}"), number > 9), 5)).collect();
        for number in 0..90 {
            receive(&site, number, &"&".repeat(80), true, rows.clone()).await;
        }
        let page = browser.get("/reports").await;
        assert!(page.len() < 100_000 && page.contains("/reports?page=1"), "{}", page.len());
        let id = site.store.reports(None, 1).unwrap().first().unwrap().id;
        let page = browser.get(&format!("/reports/{id}")).await;
        assert!(page.len() < 100_000 && page.contains("And 140 more rows"), "{}", page.len());
    }
}
