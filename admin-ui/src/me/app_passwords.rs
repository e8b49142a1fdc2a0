//! App passwords: one for each device, shown once.

use leptos::prelude::*;

use crate::parts::{Field, copyable, copyable_block, csrf, empty, field, question, when};
use crate::shell::{Frame, render};

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The passwords there are.
    pub passwords: Vec<AppPassword>,
    /// What was typed for a name.
    pub name: String,
    /// Why none was made.
    pub problem: Option<String>,
}

/// A password, without the password. Times are RFC 3339 in UTC.
#[derive(Debug, Clone)]
pub struct AppPassword {
    /// Its number.
    pub id: u64,
    /// The device.
    pub name: String,
    /// When it was made.
    pub created: String,
    /// When it was used last, if ever: when, by which protocol, from where.
    pub used: Option<(String, String, String)>,
}

/// A password that was just made.
#[derive(Clone)]
pub struct Made {
    /// The device.
    pub name: String,
    /// The account's address.
    pub address: String,
    /// The password.
    pub password: String,
    /// A profile for Apple's devices can be had.
    pub profile: bool,
}

/// The page with all of them.
pub fn page(frame: &Frame, model: &View) -> String {
    render(frame, || {
        let none = empty("No app password yet", "Make one for the phone or the mail program you want to set up next.");
        let list = if model.passwords.is_empty() { none } else { list(frame, &model.passwords) };
        view! {
            <h1>"App passwords"</h1>
            <p class="lead">
                "Give each phone and each mail program a password of its own. It reads and sends your mail and nothing else, and when a device is lost you take back its password alone."
            </p>
            {form(frame, model)}
            {list}
        }
        .into_any()
    })
}

fn form(frame: &Frame, model: &View) -> AnyView {
    let problem = model.problem.clone().map(|text| view! { <p class="notice problem" role="alert">{text}</p> });
    let name = Field {
        name: "name",
        label: "What is the device called?",
        value: model.name.clone(),
        hint: "Such as: phone, laptop, Thunderbird at work.",
        ..Field::default()
    };
    view! {
        {problem}
        <form class="form card" method="post" action="/me/app-passwords">
            {csrf(frame)}
            {field(name)}
            <div><button>"Make an app password"</button></div>
        </form>
    }
    .into_any()
}

fn list(frame: &Frame, passwords: &[AppPassword]) -> AnyView {
    let rows: Vec<AnyView> = passwords.iter().map(|one| row(frame, one)).collect();
    let all = (passwords.len() > 1).then(|| {
        question(
            frame,
            "/me/app-passwords/remove-all",
            "Take back all".into_any(),
            "second danger slight",
            &[],
            "Take back all app passwords? None of these devices can read or send mail any more.",
        )
    });
    view! {
        <div class="head"><h2>"Your devices"</h2><div class="actions">{all}</div></div>
        <table class="table">
            <thead>
                <tr><th scope="col">"Device"</th><th scope="col">"Made"</th><th scope="col">"Last used"</th><th scope="col"><span class="hidden-label">"Take back"</span></th></tr>
            </thead>
            <tbody>{rows}</tbody>
        </table>
    }
    .into_any()
}

fn row(frame: &Frame, one: &AppPassword) -> AnyView {
    let used = match &one.used {
        None => view! { <span class="quiet">"never"</span> }.into_any(),
        Some((at, protocol, from)) => {
            view! { <span class="used">{when(at)}" "<span class="quiet small">{format!("{protocol} from {from}")}</span></span> }
                .into_any()
        }
    };
    let sure = format!("Take back the password of {}? It can't read or send mail any more.", one.name);
    let label = view! { "Take back"<span class="hidden-label">" "{one.name.clone()}</span> }.into_any();
    let hidden = [("id", one.id.to_string())];
    view! {
        <tr>
            <th scope="row">{one.name.clone()}</th>
            <td data-label="Made">{when(&one.created)}</td>
            <td data-label="Last used">{used}</td>
            <td><div class="actions">
                {question(frame, "/me/app-passwords/remove", label, "second danger slight", &hidden, sure)}
            </div></td>
        </tr>
    }
    .into_any()
}

/// The page that shows a new one, this once.
pub fn made(frame: &Frame, made: &Made) -> String {
    render(frame, || {
        view! {
            <h1>{format!("The password for {}", made.name)}</h1>
            <p class="lead">"Type or paste it into the device now: it is shown only this once. If it gets lost, make another one."</p>
            <section class="card">
                <h2>"Password"</h2>
                <div class="secret">{copyable_block(made.password.clone(), "the password")}</div>
                <dl class="facts">
                    <dt>"User name"</dt>
                    <dd>{copyable(made.address.clone(), "the user name")}</dd>
                </dl>
            </section>
            {made.profile.then(|| profile(frame, made))}
            <div class="actions">
                <a class="button" href="/me/app-passwords">"Done"</a>
                <a class="button second" href="/me/devices">"How to set up the device"</a>
            </div>
        }
        .into_any()
    })
}

fn profile(frame: &Frame, made: &Made) -> AnyView {
    view! {
        <section class="card">
            <h2>"Is it this iPhone, iPad or Mac?"</h2>
            <p>
                "Then a profile sets it up with the password in it. Install it in Settings right away, and delete the file afterwards: who has it can read your mail."
            </p>
            <form method="post" action="/me/app-passwords/profile">
                {csrf(frame)}
                <input type="hidden" name="password" value=made.password.clone() />
                <button class="second" data-download="">"Get the profile"</button>
            </form>
        </section>
    }
    .into_any()
}
