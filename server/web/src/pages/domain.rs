//! `/domains/{domain}`: what to publish in DNS, how it stands, and what else can be settled.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{Html, Response};
use axum::routing::{get, post};
use mailstead_admin_ui::confirm;
use mailstead_admin_ui::domain::{self, Growth, Key, Record, View};
use mailstead_admin_ui::parts;
use mailstead_advice::doctor::Light;
use mailstead_advice::records::{DomainCheck, Entry, Kind, Need, Verdict};
use mailstead_message::{Address, Domain};
use mailstead_store::{KeyState, StsMode};
use serde::Deserialize;

use super::Nothing;
use super::domains::{HERE, list};
use crate::control::{Answer, Request};
use crate::site::form::Checked;
use crate::site::problem::Problem;
use crate::site::visit::Governor;
use crate::site::{Page, Site, lead};

pub(crate) fn routes() -> Router<Arc<Site>> {
    Router::new()
        .route("/domains/{domain}", get(show))
        .route("/domains/{domain}/records", get(to_page))
        .route("/domains/{domain}/check", post(check))
        .route("/domains/{domain}/keys/rotate", post(rotate))
        .route("/domains/{domain}/keys/cancel", post(cancel))
        .route("/domains/{domain}/catch-all", post(catch_all))
        .route("/domains/{domain}/mta-sts", post(mta_sts))
        .route("/domains/{domain}/remove", get(ask_remove).post(remove))
}

/// The page of a domain.
pub(super) fn path(domain: &Domain) -> String {
    format!("{HERE}/{}", domain.as_str())
}

/// The domain in a path.
fn named(name: &str) -> Result<Domain, Problem> {
    Domain::parse(name).map_err(|_| Problem::not_found())
}

async fn show(governor: Governor, State(site): State<Arc<Site>>, Path(name): Path<String>) -> Page {
    let domain = named(&name)?;
    let shown = domain.to_unicode();
    let known = list(&site).await?.into_iter().find(|view| view.domain == shown);
    let known = known.ok_or_else(Problem::not_found)?;
    let seen = site.seen_of(&domain).await?;
    let looking = seen.is_none();
    let check = match seen {
        Some(check) => check,
        None => match site.ask(Request::DomainRecords { domain: domain.clone(), hostname: None }).await? {
            Answer::DomainCheck(check) => *check,
            _ => return Err(Problem::not_found()),
        },
    };
    let Answer::Keys(keys) = site.ask(Request::DomainKeys { domain: domain.clone() }).await? else {
        return Err(Problem::not_found());
    };
    let (obsolete, records): (Vec<&Entry>, Vec<&Entry>) =
        check.entries.iter().partition(|entry| entry.need == Need::Obsolete);
    let view = View {
        path: path(&domain),
        light: light(&check),
        summary: summary(&check),
        checked: check.at.clone(),
        looking,
        remarks: check.remarks.clone(),
        records: records.into_iter().map(record).collect(),
        obsolete: obsolete.into_iter().map(record).collect(),
        zone_file: check.zone_file(),
        growth: check.growth.as_ref().map(|growth| Growth {
            sentence: growth.sentence.clone(),
            figures: [growth.passed, growth.own_failed, growth.others_failed, growth.reports as u64],
            next: growth.next.clone(),
        }),
        rotates: keys.iter().any(|key| key.state == KeyState::Upcoming),
        keys: keys
            .into_iter()
            .map(|key| Key { selector: key.selector, meaning: key.meaning, created: key.created })
            .collect(),
        catch_all: known.catch_all,
        sts: match known.mta_sts {
            StsMode::Enforce => "enforce",
            StsMode::Testing => "testing",
            StsMode::None => "none",
        },
        name: shown.clone(),
    };
    Ok(Html(domain::page(&site.frame(&governor, shown, HERE), &view)))
}

/// How it stands with all records of a domain.
pub(super) fn light(check: &DomainCheck) -> parts::Light {
    let required = check.entries.iter().filter(|entry| entry.need == Need::Required);
    let unknown = required.clone().any(|entry| entry.light() == Light::Unknown);
    if check.count(Light::Bad) > 0 {
        parts::Light::Bad
    } else if unknown {
        parts::Light::Unknown
    } else if check.count(Light::Warning) > 0 {
        parts::Light::Warn
    } else {
        parts::Light::Good
    }
}

/// The same in a sentence.
pub(super) fn summary(check: &DomainCheck) -> String {
    let records = |count: usize| if count == 1 { "1 record".to_owned() } else { format!("{count} records") };
    let (bad, warned) = (check.count(Light::Bad), check.count(Light::Warning));
    match (light(check), bad, warned) {
        (parts::Light::Bad, bad, 0) => format!("{} to be put right before mail works", records(bad)),
        (parts::Light::Bad, bad, warned) => {
            format!("{} to be put right before mail works, and {warned} more worth adding", records(bad))
        }
        (parts::Light::Warn, _, warned) => format!("Mail works; {} could be better", records(warned)),
        (parts::Light::Good, ..) => "All is right".to_owned(),
        (parts::Light::Unknown, ..) => "Not everything could be looked at".to_owned(),
    }
}

fn record(entry: &Entry) -> Record {
    let (remarks, found) = match &entry.verdict {
        None | Some(Verdict::Missing) => (Vec::new(), Vec::new()),
        Some(Verdict::Right { note }) => (note.iter().cloned().collect(), Vec::new()),
        Some(Verdict::Wrong { found, difference, todo, .. }) => (vec![difference.clone(), todo.clone()], found.clone()),
        Some(Verdict::Spreading { found, minutes }) => {
            let text = format!(
                "You have done your part: the domain's own name servers say it. Others may remember what was there before \
                 for up to {minutes} minutes."
            );
            (vec![text], found.clone())
        }
        Some(Verdict::NotCheckable { why }) => (vec![why.clone()], Vec::new()),
    };
    Record {
        anchor: entry.id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect(),
        title: entry.title.clone(),
        kind: entry.kind.to_string(),
        name: entry.name.clone(),
        short: (entry.short != entry.name && entry.is_yours()).then(|| (entry.short.clone(), entry.zone.clone())),
        value: entry.value.clone(),
        fields: fields(entry),
        why: entry.why.clone(),
        need: entry.need.word(),
        elsewhere: !entry.is_yours(),
        light: match entry.light() {
            Light::Good => parts::Light::Good,
            Light::Unknown => parts::Light::Unknown,
            Light::Warning => parts::Light::Warn,
            Light::Bad => parts::Light::Bad,
        },
        standing: entry.verdict.as_ref().map_or("not looked at yet", Verdict::word).to_owned(),
        remarks,
        found,
    }
}

/// The fields that forms have for a record, where there are several.
fn fields(entry: &Entry) -> Vec<(&'static str, String)> {
    let labels: &[&'static str] = match entry.kind {
        Kind::Mx => &["Priority", "Mail server"],
        Kind::Srv => &["Priority", "Weight", "Port", "Target"],
        Kind::Caa => &["Flags", "Tag", "Value"],
        Kind::Tlsa => &["Usage", "Selector", "Matching type", "Data"],
        _ => return Vec::new(),
    };
    let plain = |word: &str| word.trim_matches('"').trim_end_matches('.').to_owned();
    labels.iter().copied().zip(entry.value.split(' ').map(plain)).collect()
}

async fn to_page(_: Governor, Path(name): Path<String>) -> Result<Response, Problem> {
    Ok(lead(&path(&named(&name)?)))
}

async fn check(
    _: Governor,
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    Checked(Nothing {}): Checked<Nothing>,
) -> Result<Response, Problem> {
    let domain = named(&name)?;
    site.look_at(&domain).await?;
    Ok(lead(&path(&domain)))
}

/// Has something done that changes what is to be published.
async fn change(
    site: &Site,
    governor: &Governor,
    name: &str,
    wish: impl FnOnce(Domain) -> Request,
) -> Result<Response, Problem> {
    let domain = named(name)?;
    let response = site.act(governor, wish(domain.clone()), &path(&domain)).await;
    site.desk.domains.forget(&domain);
    Ok(response)
}

async fn rotate(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    Checked(Nothing {}): Checked<Nothing>,
) -> Result<Response, Problem> {
    change(&site, &governor, &name, |domain| Request::DomainRotateKey { domain, cancel: false }).await
}

async fn cancel(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    Checked(Nothing {}): Checked<Nothing>,
) -> Result<Response, Problem> {
    change(&site, &governor, &name, |domain| Request::DomainRotateKey { domain, cancel: true }).await
}

#[derive(Deserialize)]
struct CatchAll {
    #[serde(default)]
    target: String,
}

async fn catch_all(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    Checked(form): Checked<CatchAll>,
) -> Result<Response, Problem> {
    let domain = named(&name)?;
    let target = Some(form.target.trim()).filter(|target| !target.is_empty()).map(Address::parse).transpose();
    let target = target.map_err(|error| Problem::bad_form(&format!("That is no address: {error}")))?;
    Ok(site.act(&governor, Request::CatchAll { domain: domain.clone(), target }, &path(&domain)).await)
}

#[derive(Deserialize)]
struct Mode {
    mode: StsMode,
}

async fn mta_sts(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    Checked(Mode { mode }): Checked<Mode>,
) -> Result<Response, Problem> {
    change(&site, &governor, &name, |domain| Request::StsMode { domain, mode }).await
}

async fn ask_remove(governor: Governor, State(site): State<Arc<Site>>, Path(name): Path<String>) -> Page {
    let domain = named(&name)?;
    let shown = domain.to_unicode();
    let view = confirm::View {
        question: format!("Remove {shown}?"),
        meaning: vec![
            format!("Mail for addresses of {shown} is refused from then on."),
            "Its signing keys are gone for good: what is still on its way can't be checked any more.".to_owned(),
            "Its records in DNS are yours to remove, where you entered them.".to_owned(),
        ],
        path: format!("{}/remove", path(&domain)),
        label: "Remove the domain",
        destroys: true,
        back: path(&domain),
    };
    Ok(Html(confirm::page(&site.frame(&governor, "Remove a domain", HERE), &view)))
}

async fn remove(
    governor: Governor,
    State(site): State<Arc<Site>>,
    Path(name): Path<String>,
    Checked(Nothing {}): Checked<Nothing>,
) -> Result<Response, Problem> {
    let domain = named(&name)?;
    let response = site.act(&governor, Request::DomainRemove { domain: domain.clone() }, HERE).await;
    site.desk.domains.forget(&domain);
    Ok(response)
}
