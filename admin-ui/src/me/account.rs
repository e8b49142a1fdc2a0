//! My account: addresses, room, password, and where I am signed in.

use leptos::prelude::*;

use super::copyable_list;
use crate::parts::{Field, csrf, field, question, quota, when};
use crate::shell::{Frame, render};

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The address one signs in with.
    pub address: String,
    /// Further addresses of the account.
    pub addresses: Vec<String>,
    /// Bytes stored.
    pub used: u64,
    /// The most that may be stored.
    pub quota: Option<u64>,
    /// Where mail is sent on to.
    pub forwards: Vec<String>,
    /// App passwords.
    pub app_passwords: usize,
    /// Browsers in which the account is signed in.
    pub sessions: Vec<Session>,
    /// Why the password was not changed.
    pub problem: Option<String>,
}

/// A browser that is signed in. Times are RFC 3339 in UTC.
#[derive(Debug, Clone)]
pub struct Session {
    /// What it is.
    pub browser: String,
    /// From which address it signed in.
    pub from: String,
    /// When it signed in.
    pub since: String,
    /// When it was here last, to the hour.
    pub seen: String,
    /// It is the one that looks at the page.
    pub here: bool,
}

/// The page.
pub fn page(frame: &Frame, model: &View) -> String {
    render(frame, || {
        view! {
            <h1>"My account"</h1>
            <p class="lead">{model.address.clone()}</p>
            <div class="cards">
                {mailbox(model)}
                {addresses(model)}
                {ways_in(model)}
            </div>
            {password(frame, model)}
            {sessions(frame, model)}
        }
        .into_any()
    })
}

fn mailbox(model: &View) -> AnyView {
    let sent_on = if model.forwards.is_empty() {
        "Your mail stays in your mailbox.".to_owned()
    } else {
        format!("Your mail is sent on to {}.", model.forwards.join(", "))
    };
    view! {
        <section class="card">
            <h2>"Mailbox"</h2>
            {quota(model.used, model.quota)}
            <p>{sent_on}</p>
            <div class="actions"><a class="button second slight" href="/me/forwarding">"Forwarding"</a></div>
        </section>
    }
    .into_any()
}

fn addresses(model: &View) -> AnyView {
    let own: Vec<String> = [&model.address].into_iter().chain(&model.addresses).cloned().collect();
    let (local, domain) = model.address.rsplit_once('@').unwrap_or_default();
    let tagged = format!("{local}+shop@{domain}");
    view! {
        <section class="card">
            <h2>"Addresses"</h2>
            {copyable_list(&own)}
            <p class="quiet small">
                "Anything behind a plus sign reaches you too, such as "<code>{tagged}</code>
            </p>
        </section>
    }
    .into_any()
}

fn ways_in(model: &View) -> AnyView {
    let count = match model.app_passwords {
        0 => "No device has a password of its own yet.".to_owned(),
        1 => "One device has a password of its own.".to_owned(),
        many => format!("{many} devices have passwords of their own."),
    };
    view! {
        <section class="card">
            <h2>"Devices"</h2>
            <p>{count}</p>
            <div class="actions">
                <a class="button slight" href="/me/devices">"Set up a device"</a>
                <a class="button second slight" href="/me/app-passwords">"App passwords"</a>
            </div>
        </section>
    }
    .into_any()
}

fn password(frame: &Frame, model: &View) -> AnyView {
    let problem = model.problem.clone().map(|text| view! { <p class="notice problem" role="alert">{text}</p> });
    let of = |name, label, autocomplete, hint| Field {
        name,
        label,
        kind: "password",
        autocomplete,
        hint,
        ..Field::default()
    };
    view! {
        <section class="card" id="password">
            <h2>"Change password"</h2>
            {problem}
            <form class="form" method="post" action="/me/password">
                {csrf(frame)}
                <input type="hidden" name="username" autocomplete="username" value=model.address.clone() />
                {field(of("current", "Password until now", "current-password", ""))}
                {field(of("new", "New password", "new-password", "At least 8 characters; four random words are good and easy to keep in mind."))}
                {field(of("again", "New password again", "new-password", ""))}
                <div><button>"Change password"</button></div>
            </form>
            <p class="quiet small">
                "Other browsers are signed out then. Devices with app passwords go on; those that use this password ask for the new one."
            </p>
        </section>
    }
    .into_any()
}

fn sessions(frame: &Frame, model: &View) -> AnyView {
    let rows: Vec<AnyView> = model.sessions.iter().map(session).collect();
    view! {
        <section>
            <div class="head">
                <h2>"Where you are signed in"</h2>
                <div class="actions">
                    {question(frame, "/logout/everywhere", "Sign out everywhere".into_any(), "second danger slight", &[],
                        "Sign out in all browsers, this one too?")}
                </div>
            </div>
            <table class="table">
                <thead>
                    <tr><th scope="col">"Browser"</th><th scope="col">"From"</th><th scope="col">"Since"</th><th scope="col">"Last here"</th></tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        </section>
    }
    .into_any()
}

fn session(one: &Session) -> AnyView {
    let here = one.here.then(|| view! { " "<span class="chip good">"this one"</span> });
    view! {
        <tr>
            <th scope="row">{one.browser.clone()}{here}</th>
            <td data-label="From">{one.from.clone()}</td>
            <td data-label="Since">{when(&one.since)}</td>
            <td data-label="Last here">{when(&one.seen)}</td>
        </tr>
    }
    .into_any()
}
