//! Accounts: the people who have a mailbox, and one of them with all that belongs to it.

use leptos::prelude::*;

use crate::parts::{Field, action, copyable_block, csrf, empty, field, pager, quota, segment, when};
use crate::shell::{Frame, render};

/// What the list shows.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The accounts on this page of it.
    pub accounts: Vec<Line>,
    /// The pages around this one.
    pub newer: Option<String>,
    /// The same.
    pub older: Option<String>,
}

/// An account in a line.
#[derive(Debug, Clone, Default)]
pub struct Line {
    /// The address it logs in with.
    pub address: String,
    /// Further addresses.
    pub addresses: Vec<String>,
    /// It may govern the server.
    pub operator: bool,
    /// It can't log in.
    pub suspended: bool,
    /// Bytes stored.
    pub used: u64,
    /// The most it may store, in bytes.
    pub quota: Option<u64>,
}

/// The list.
pub fn page(frame: &Frame, model: &View) -> String {
    render(frame, || {
        let rows: Vec<AnyView> = model.accounts.iter().map(row).collect();
        let list = if rows.is_empty() {
            empty("Nobody has a mailbox yet", "Add an account for each person in your house.")
        } else {
            table(rows)
        };
        view! {
            <div class="head">
                <h1>"Accounts"</h1>
                <div class="actions"><a class="button" href="/accounts/new">"Add an account"</a></div>
            </div>
            <p class="lead">"The people who have a mailbox on this server."</p>
            {list}
            {pager(model.newer.as_deref(), model.older.as_deref())}
        }
        .into_any()
    })
}

fn table(rows: Vec<AnyView>) -> AnyView {
    view! {
        <table class="table people">
            <thead>
                <tr>
                    <th scope="col">"Account"</th>
                    <th scope="col">"Also reached at"</th>
                    <th scope="col">"Storage"</th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

fn row(line: &Line) -> AnyView {
    let also = match line.addresses.len() {
        0..=3 => line.addresses.join(", "),
        many => {
            format!("{} and {} more", line.addresses.iter().take(2).cloned().collect::<Vec<_>>().join(", "), many - 2)
        }
    };
    // On a phone the label stands before the value: none before nothing.
    let also_label = (!also.is_empty()).then_some("Also reached at");
    view! {
        <tr>
            <th scope="row">
                <a href=path(&line.address, "")>{line.address.clone()}</a>
                " "
                {chips(line.operator, line.suspended)}
            </th>
            <td data-label=also_label>{also}</td>
            <td data-label="Storage" class="storage">{quota(line.used, line.quota)}</td>
        </tr>
    }
    .into_any()
}

fn chips(operator: bool, suspended: bool) -> AnyView {
    let operator = operator.then(|| view! { <span class="chip good">"operator"</span>" " });
    let suspended = suspended.then(|| view! { <span class="chip warn">"suspended"</span> });
    view! { {operator}{suspended} }.into_any()
}

/// The path of an account's page, or of one below it.
pub fn path(address: &str, below: &str) -> String {
    format!("/accounts/{}{below}", segment(address))
}

/// What the form for a new account shows.
#[derive(Debug, Clone, Default)]
pub struct NewAccount {
    /// What was typed last time.
    pub address: String,
    /// The same.
    pub quota: String,
    /// Domains of this server.
    pub domains: Vec<String>,
    /// Why it did not work.
    pub problem: Option<String>,
}

/// The form for a new account.
pub fn new(frame: &Frame, model: &NewAccount) -> String {
    render(frame, || {
        let problem = model.problem.clone().map(|text| view! { <p class="notice problem" role="alert">{text}</p> });
        let domains = match model.domains.as_slice() {
            [] => view! { <p class="notice careful">"First "<a href="/domains">"add a domain"</a>": addresses need one."</p> }
                .into_any(),
            domains => view! { <p class="lead">"Your domains: "{domains.join(", ")}"."</p> }.into_any(),
        };
        let address = Field {
            name: "address",
            label: "Mail address",
            kind: "email",
            value: model.address.clone(),
            hint: "Whole, such as alice@example.org. People log in with it.",
            ..Field::default()
        };
        view! {
            <a class="back" href="/accounts">"← Accounts"</a>
            <h1>"Add an account"</h1>
            {domains}
            {problem}
            <form class="form card" method="post" action="/accounts/new">
                {csrf(frame)}
                {field(address)}
                {password_field()}
                {quota_field(model.quota.clone())}
                <div><button>"Add it"</button></div>
            </form>
        }
        .into_any()
    })
}

fn password_field() -> AnyView {
    field(Field {
        name: "password",
        label: "Password",
        kind: "password",
        autocomplete: "new-password",
        hint: "At least 8 characters. Leave it empty to have a good one made, which is shown to you once.",
        optional: true,
        ..Field::default()
    })
}

fn quota_field(value: String) -> AnyView {
    field(Field {
        name: "quota",
        label: "Storage in GB",
        value,
        hint: "How much mail it may keep, such as 5. Empty means no limit but the disk's.",
        optional: true,
        ..Field::default()
    })
}

/// A password that was just made.
#[derive(Debug, Clone, Default)]
pub struct Made {
    /// What was done, in a sentence.
    pub sentence: String,
    /// The account.
    pub address: String,
    /// The password, if it was made here.
    pub password: Option<String>,
}

/// The page that shows a password once.
pub fn made(frame: &Frame, model: &Made) -> String {
    render(frame, || {
        let password = model.password.clone().map(|password| {
            view! {
                <p>"Its password, shown only now:"</p>
                {copyable_block(password, "the password")}
                <p class="quiet small">"Hand it over on a safe way. Whoever has it can change it at “My account”."</p>
            }
        });
        view! {
            <section class="card confirm">
                <h1>{model.sentence.clone()}</h1>
                {password}
                <div class="actions">
                    <a class="button" href=path(&model.address, "")>"To the account"</a>
                    <a class="button second" href="/accounts">"All accounts"</a>
                </div>
            </section>
        }
        .into_any()
    })
}

/// One account.
#[derive(Debug, Clone, Default)]
pub struct Account {
    /// It in a line.
    pub line: Line,
    /// When it was added.
    pub created: String,
    /// Letters in its mailboxes.
    pub letters: u64,
    /// Its quota as it stands in the form.
    pub quota: String,
    /// Aliases that lead there.
    pub aliases: Vec<String>,
    /// Where its mail is sent on to, in a sentence.
    pub forwarding: Option<String>,
    /// Passwords of its devices.
    pub app_passwords: Vec<AppPassword>,
    /// Who is signed in at the web.
    pub sessions: Vec<Session>,
    /// It is the one who looks at it.
    pub is_you: bool,
}

/// The password of one device.
#[derive(Debug, Clone, Default)]
pub struct AppPassword {
    /// Its number.
    pub id: u64,
    /// The device.
    pub name: String,
    /// When it was made.
    pub created: String,
    /// When it was used last.
    pub used: Option<String>,
    /// How: by which protocol and from where.
    pub how: String,
}

/// Somebody signed in at the web.
#[derive(Debug, Clone, Default)]
pub struct Session {
    /// Its name.
    pub key: String,
    /// What the browser calls itself.
    pub browser: String,
    /// From where.
    pub from: String,
    /// Since when.
    pub since: String,
    /// When it was used last.
    pub seen: String,
}

/// The page of one account.
pub fn account(frame: &Frame, model: &Account) -> String {
    render(frame, || {
        let line = &model.line;
        view! {
            <a class="back" href="/accounts">"← Accounts"</a>
            <div class="head">
                <h1>{line.address.clone()}</h1>
                <div>{chips(line.operator, line.suspended)}</div>
            </div>
            <div class="cards two">
                {storage(frame, model)}
                {addresses(frame, model)}
                {password(frame, model)}
                {standing(frame, model)}
            </div>
            {devices(frame, model)}
            {sessions(frame, model)}
            {end(model)}
        }
        .into_any()
    })
}

fn storage(frame: &Frame, model: &Account) -> AnyView {
    let line = &model.line;
    let letters = match model.letters {
        1 => "1 letter".to_owned(),
        many => format!("{many} letters"),
    };
    view! {
        <section class="card">
            <h2>"Storage"</h2>
            {quota(line.used, line.quota)}
            <p class="small quiet">{letters}", since "{when(&model.created)}</p>
            <form class="form" method="post" action=path(&line.address, "/quota")>
                {csrf(frame)}
                {quota_field(model.quota.clone())}
                <div><button class="second">"Set"</button></div>
            </form>
        </section>
    }
    .into_any()
}

fn addresses(frame: &Frame, model: &Account) -> AnyView {
    let own = &model.line.address;
    let further: Vec<AnyView> = model
        .line
        .addresses
        .iter()
        .map(|address| {
            let hidden = [("address", address.clone())];
            let remove = action(frame, path(own, "/addresses/remove"), "Take away", "second slight", &hidden);
            view! { <li>{address.clone()}{remove}</li> }.into_any()
        })
        .collect();
    let aliases = (!model.aliases.is_empty()).then(|| {
        view! { <p class="small">"By "<a href="/aliases">"aliases"</a>": "{model.aliases.join(", ")}</p> }
    });
    let forwarding = model.forwarding.clone().map(|text| view! { <p class="small">{text}</p> });
    view! {
        <section class="card">
            <h2>"Addresses"</h2>
            <ul class="lines"><li><strong>{own.clone()}</strong></li>{further}</ul>
            {aliases}
            {forwarding}
            <form class="actions" method="post" action=path(own, "/addresses")>
                {csrf(frame)}
                <label class="hidden-label" for="address">"One more address"</label>
                <input id="address" name="address" type="email" placeholder="one more address" autocomplete="off" required=true />
                <button class="second">"Add"</button>
            </form>
        </section>
    }
    .into_any()
}

fn password(frame: &Frame, model: &Account) -> AnyView {
    view! {
        <section class="card">
            <h2>"Password"</h2>
            <form class="form" method="post" action=path(&model.line.address, "/password")>
                {csrf(frame)}
                {password_field()}
                <div><button class="second">"Set a new password"</button></div>
            </form>
            <p class="small quiet">"Everybody who is signed in with the old one at the web is signed out."</p>
        </section>
    }
    .into_any()
}

fn standing(frame: &Frame, model: &Account) -> AnyView {
    let line = &model.line;
    if model.is_you {
        return view! {
            <section class="card">
                <h2>"This is you"</h2>
                <p>"You can't suspend or remove yourself, nor take away your own right to look after this server: another operator can."</p>
            </section>
        }
        .into_any();
    }
    let suspend = match line.suspended {
        true => action(frame, path(&line.address, "/enable"), "Let it log in again", "second", &[]),
        false => action(frame, path(&line.address, "/suspend"), "Suspend it", "second", &[]),
    };
    let operator = match line.operator {
        true => action(
            frame,
            path(&line.address, "/operator"),
            "No longer an operator",
            "second",
            &[("on", "no".to_owned())],
        ),
        false => action(
            frame,
            path(&line.address, "/operator"),
            "Make it an operator",
            "second",
            &[("on", "yes".to_owned())],
        ),
    };
    view! {
        <section class="card">
            <h2>"What it may do"</h2>
            <p class="small quiet">"A suspended account can't log in; mail for it still arrives. An operator may look after this whole server, as you do."</p>
            <div class="actions">{suspend}{operator}</div>
        </section>
    }
    .into_any()
}

fn devices(frame: &Frame, model: &Account) -> AnyView {
    if model.app_passwords.is_empty() {
        return view! {
            <section class="card">
                <h2>"App passwords"</h2>
                <p class="quiet">"None. Whoever has the account can make one for each device at “App passwords”, and take it back when the device is lost."</p>
            </section>
        }
        .into_any();
    }
    let rows: Vec<AnyView> = model
        .app_passwords
        .iter()
        .map(|one| {
            let hidden = [("id", one.id.to_string())];
            let revoke = action(
                frame,
                path(&model.line.address, "/app-passwords/remove"),
                "Take back",
                "second slight",
                &hidden,
            );
            let used = match &one.used {
                Some(at) => view! { {when(at)}" "{one.how.clone()} }.into_any(),
                None => view! { "never" }.into_any(),
            };
            view! {
                <tr>
                    <th scope="row">{one.name.clone()}</th>
                    <td data-label="Made">{when(&one.created)}</td>
                    <td data-label="Last used">{used}</td>
                    <td>{revoke}</td>
                </tr>
            }
            .into_any()
        })
        .collect();
    view! {
        <h2>"App passwords"</h2>
        <table class="table">
            <thead>
                <tr>
                    <th scope="col">"Device"</th><th scope="col">"Made"</th><th scope="col">"Last used"</th>
                    <th scope="col"><span class="hidden-label">"What to do"</span></th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

fn sessions(frame: &Frame, model: &Account) -> AnyView {
    let account = path(&model.line.address, "/sessions/end");
    let rows: Vec<AnyView> = model
        .sessions
        .iter()
        .map(|one| {
            let end = action(frame, account.clone(), "Sign out", "second slight", &[("key", one.key.clone())]);
            view! {
                <tr>
                    <th scope="row">{one.browser.clone()}</th>
                    <td data-label="From"><code>{one.from.clone()}</code></td>
                    <td data-label="Since">{when(&one.since)}</td>
                    <td data-label="Last seen">{when(&one.seen)}</td>
                    <td>{end}</td>
                </tr>
            }
            .into_any()
        })
        .collect();
    if rows.is_empty() {
        return view! { "" }.into_any();
    }
    view! {
        <div class="head">
            <h2>"Signed in at the web"</h2>
            {action(frame, account, "Sign out everywhere", "second slight", &[])}
        </div>
        <table class="table">
            <thead>
                <tr>
                    <th scope="col">"Browser"</th><th scope="col">"From"</th><th scope="col">"Since"</th>
                    <th scope="col">"Last seen"</th><th scope="col"><span class="hidden-label">"What to do"</span></th>
                </tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

fn end(model: &Account) -> AnyView {
    if model.is_you {
        return view! { "" }.into_any();
    }
    view! {
        <p><a class="button second danger" href=path(&model.line.address, "/delete")>"Delete this account…"</a></p>
    }
    .into_any()
}
