//! Setting up in a browser: the server's name, its first domain, the first account.

use leptos::prelude::*;

use crate::parts::{Field, csrf, field};
use crate::shell::{Frame, render};

/// What a step shows.
#[derive(Debug, Clone)]
pub struct View {
    /// Where the set-up lives: `/setup/TOKEN`.
    pub path: String,
    /// Why the last try did not work.
    pub problem: Option<String>,
    /// The step.
    pub step: Step,
}

/// A step.
#[derive(Debug, Clone)]
pub enum Step {
    /// The server's name.
    Host {
        /// The name, or what is proposed.
        name: String,
        /// The configuration file says it.
        fixed: bool,
        /// Where it leads, in a sentence.
        leads: Option<String>,
    },
    /// The server starts anew under its name.
    Renaming {
        /// The name.
        name: String,
    },
    /// The first domain.
    Domain {
        /// What is proposed or was typed.
        name: String,
    },
    /// The first account.
    Account {
        /// The domain of its address.
        domain: String,
        /// What was typed.
        address: String,
        /// Accounts that are there already.
        known: Vec<String>,
    },
}

/// The page.
pub fn page(frame: &Frame, model: &View) -> String {
    render(frame, || {
        let problem = model.problem.clone().map(|text| view! { <p class="notice problem" role="alert">{text}</p> });
        let (number, title) = match &model.step {
            Step::Host { .. } | Step::Renaming { .. } => (1, "The server's own name"),
            Step::Domain { .. } => (2, "Your first domain"),
            Step::Account { .. } => (3, "Your own account"),
        };
        view! {
            <p class="brand">"Mailstead"</p>
            <p class="quiet small">{format!("Setting up, step {number} of 3")}</p>
            <h1>{title}</h1>
            {problem}
            {content(frame, model)}
        }
        .into_any()
    })
}

fn content(frame: &Frame, model: &View) -> AnyView {
    match &model.step {
        Step::Host { name, fixed, leads } => host(frame, &model.path, name, *fixed, leads.clone()),
        Step::Renaming { name } => renaming(&model.path, name),
        Step::Domain { name } => domain(frame, &model.path, name),
        Step::Account { domain, address, known } => account(frame, &model.path, domain, address, known),
    }
}

fn host(frame: &Frame, path: &str, name: &str, fixed: bool, leads: Option<String>) -> AnyView {
    let leads = leads.map(|text| view! { <p class="quiet">{text}</p> });
    let lead = "Other servers see this name, and mail programs connect to it. It is one name, such as mail.example.org, \
                however many domains the server has later.";
    if fixed {
        return view! {
            <p class="lead">{lead}</p>
            <section class="card">
                <p><strong>{name.to_owned()}</strong></p>
                {leads}
                <p class="hint">
                    "It stands in the configuration file. If it is wrong, change the line "<code>"hostname"</code>
                    " in mailstead.toml, restart the server and load this page again."
                </p>
                <div class="actions"><a class="button" href=format!("{path}?step=domain")>"Go on"</a></div>
            </section>
        }
        .into_any();
    }
    let name = Field {
        name: "hostname",
        label: "Name",
        value: name.to_owned(),
        hint: "A whole name with dots. An A record must lead from it to this server; it may be published later.",
        ..Field::default()
    };
    view! {
        <p class="lead">{lead}</p>
        <form class="form card" method="post" action=format!("{path}/host")>
            {csrf(frame)}
            {field(name)}
            {leads}
            <div><button>"Take this name"</button></div>
        </form>
    }
    .into_any()
}

fn renaming(path: &str, name: &str) -> AnyView {
    view! {
        <section class="card">
            <p>"The server starts anew as "<strong>{name.to_owned()}</strong>", which takes a moment."</p>
            <p class="hint">
                "If your browser warned about the certificate before, it may warn once more, since that has the new name now."
            </p>
            <div class="actions"><a class="button" href=format!("{path}?step=domain")>"Go on"</a></div>
        </section>
    }
    .into_any()
}

fn domain(frame: &Frame, path: &str, name: &str) -> AnyView {
    let name = Field {
        name: "domain",
        label: "Domain",
        value: name.to_owned(),
        hint: "What stands behind the @ in your address, such as example.org. More can be added later.",
        ..Field::default()
    };
    view! {
        <p class="lead">"The domain whose mail this server takes."</p>
        <form class="form card" method="post" action=format!("{path}/domain")>
            {csrf(frame)}
            {field(name)}
            <div class="actions">
                <button>"Take its mail"</button>
                <a class="button second" href=format!("{path}?step=host")>"Back"</a>
            </div>
        </form>
    }
    .into_any()
}

fn account(frame: &Frame, path: &str, domain: &str, address: &str, known: &[String]) -> AnyView {
    let known = (!known.is_empty()).then(|| {
        view! {
            <p class="quiet">
                {format!("There are accounts already ({}). To take one of them, type its address and its password.", known.join(", "))}
            </p>
        }
    });
    let value = if address.is_empty() { format!("@{domain}") } else { address.to_owned() };
    let address = Field {
        name: "address",
        label: "Your mail address",
        value,
        autocomplete: "username",
        hint: "Put your name in front of the @.",
        ..Field::default()
    };
    let password = Field {
        name: "password",
        label: "Password",
        kind: "password",
        autocomplete: "new-password",
        hint: "At least 8 characters. Left empty, one is made up for you and shown on the next page.",
        optional: true,
        ..Field::default()
    };
    view! {
        <p class="lead">"Your mailbox, and the account with which you look after this server."</p>
        {known}
        <form class="form card" method="post" action=format!("{path}/account")>
            {csrf(frame)}
            {field(address)}
            {field(password)}
            <div><button>"Finish"</button></div>
        </form>
    }
    .into_any()
}
