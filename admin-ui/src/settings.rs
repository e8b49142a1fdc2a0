//! Settings of the whole server.

use leptos::prelude::*;

use crate::parts::{Field, action, csrf, field};
use crate::shell::{Frame, render};

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The server's name.
    pub hostname: String,
    /// The configuration file says it.
    pub hostname_fixed: bool,
    /// The relays for outgoing mail: for whose mail, and which.
    pub relays: Vec<(Option<String>, String)>,
    /// Reports are sent each day.
    pub sends_reports: bool,
    /// Domains whose seals are trusted.
    pub sealers: Vec<String>,
    /// Locked-out addresses, and for how many more minutes.
    pub bans: Vec<(String, u64)>,
}

/// The page.
pub fn page(frame: &Frame, model: &View) -> String {
    render(frame, || {
        view! {
            <div class="head"><h1>"Settings"</h1></div>
            {relays(frame, model)}
            {reports(frame, model)}
            {sealers(frame, model)}
            {bans(frame, model)}
            {file(model)}
        }
        .into_any()
    })
}

fn relays(frame: &Frame, model: &View) -> AnyView {
    let list: Vec<AnyView> = model
        .relays
        .iter()
        .map(|(domain, relay)| {
            let whose = domain.as_ref().map_or_else(|| "All mail".to_owned(), |domain| format!("Mail from {domain}"));
            let hidden = [("domain", domain.clone().unwrap_or_default())];
            view! {
                <li>
                    <p>{format!("{whose} goes out through {relay}.")}</p>
                    {action(frame, "/settings/relay/clear", "Deliver directly again", "second slight", &hidden)}
                </li>
            }
            .into_any()
        })
        .collect();
    let list = if list.is_empty() {
        view! { <p>"Outgoing mail is delivered directly."</p> }.into_any()
    } else {
        view! { <ul class="lines">{list}</ul> }.into_any()
    };
    view! {
        <section class="card">
            <h2>"Outgoing mail"</h2>
            {list}
            <p class="hint">"A relay (smarthost) is for when your provider blocks port 25. Ask them, or any mail provider, for its name and a login."</p>
            <form class="form" method="post" action="/settings/relay">
                {csrf(frame)}
                {field(Field { name: "host", label: "Relay", hint: "Its host name. It is reached with TLS.", ..Field::default() })}
                {field(Field { name: "port", label: "Port", kind: "number", value: "465".to_owned(), hint: "465, or 587 with STARTTLS.", ..Field::default() })}
                {field(Field { name: "user", label: "User name", optional: true, ..Field::default() })}
                {field(Field { name: "password", label: "Password", kind: "password", optional: true, ..Field::default() })}
                <div><button>"Send through it"</button></div>
            </form>
        </section>
    }
    .into_any()
}

fn reports(frame: &Frame, model: &View) -> AnyView {
    let (text, label, to) = match model.sends_reports {
        true => ("Each night the reports go out that other domains ask for (DMARC, TLS).", "Send none", "off"),
        false => ("No reports go out to other domains.", "Send them each night", "on"),
    };
    view! {
        <section class="card">
            <h2>"Reports to others"</h2>
            <p>{text}</p>
            {action(frame, "/settings/reports", label, "second slight", &[("switch", to.to_owned())])}
        </section>
    }
    .into_any()
}

fn sealers(frame: &Frame, model: &View) -> AnyView {
    let list: Vec<AnyView> = model
        .sealers
        .iter()
        .map(|domain| {
            let hidden = [("domain", domain.clone())];
            view! {
                <li>
                    <p>{domain.clone()}</p>
                    {action(frame, "/settings/sealers/distrust", "Trust no more", "second slight", &hidden)}
                </li>
            }
            .into_any()
        })
        .collect();
    let hint = "A list or forwarder whose seals (ARC) are taken for who a letter was from. Trust only whom you know: who is \
                trusted can write in anybody's name.";
    view! {
        <section class="card">
            <h2>"Trusted mailing lists"</h2>
            <ul class="lines">{list}</ul>
            <form class="form" method="post" action="/settings/sealers">
                {csrf(frame)}
                {field(Field { name: "domain", label: "Domain", hint, ..Field::default() })}
                <div><button>"Trust it"</button></div>
            </form>
        </section>
    }
    .into_any()
}

fn bans(frame: &Frame, model: &View) -> AnyView {
    let list: Vec<AnyView> = model
        .bans
        .iter()
        .map(|(address, minutes)| view! { <li>{format!("{address}, for {minutes} more minutes")}</li> }.into_any())
        .collect();
    let content = if list.is_empty() {
        view! { <p>"Nobody is locked out."</p> }.into_any()
    } else {
        view! {
            <ul class="lines">{list}</ul>
            {action(frame, "/settings/bans/lift", "Let all in again", "second slight", &[])}
        }
        .into_any()
    };
    view! {
        <section class="card">
            <h2>"Locked out after wrong passwords"</h2>
            {content}
        </section>
    }
    .into_any()
}

fn file(model: &View) -> AnyView {
    let said = if model.hostname_fixed { "It stands in mailstead.toml." } else { "It was chosen while setting up." };
    view! {
        <section class="card">
            <h2>"What the configuration file says"</h2>
            <p>"This server is " <strong>{model.hostname.clone()}</strong> ". " {said}</p>
            <p class="hint">
                "Host name, ports, certificate files, resolver and limits live in mailstead.toml and hold from the next start. \
                 See what is in force with "<code>"mailstead config check"</code>"."
            </p>
        </section>
    }
    .into_any()
}
