//! What every page shares: the frame around its content, and the way from a view to a string.

use leptos::prelude::*;

use crate::parts::prose;

use crate::parts::action;

/// The style sheet of all pages.
pub const STYLE: &str = concat!(
    include_str!("style/base.css"),
    include_str!("style/parts.css"),
    include_str!("style/front.css"),
    include_str!("style/letters.css"),
    include_str!("style/me.css"),
    include_str!("style/people.css"),
    include_str!("style/records.css"),
    include_str!("style/overview.css"),
);

/// The script of all pages; each works without it.
pub const SCRIPT: &str = include_str!("script.js");

/// The icon of all pages.
pub const ICON: &str = include_str!("icon.svg");

/// What is around a page.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    /// What the page is called.
    pub title: String,
    /// The server's name.
    pub host: String,
    /// Who is signed in.
    pub visitor: Option<Visitor>,
    /// The path of the page in the list of pages that this one belongs to, such as `/domains`.
    pub here: &'static str,
    /// The token that every form sends back; empty where there are no forms.
    pub csrf: String,
    /// What is to be said first.
    pub notices: Vec<Notice>,
}

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Visitor {
    /// The address of the account.
    pub address: String,
    /// It may govern the server.
    pub operator: bool,
}

/// Something to be said at the top of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// What kind of news it is.
    pub kind: NoticeKind,
    /// One sentence, or a few.
    pub text: String,
}

/// What kind of news a notice is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeKind {
    /// It is done.
    Done,
    /// It is done, but.
    Careful,
    /// It could not be done.
    Problem,
}

/// The pages of an operator: path and name.
const GOVERN: [(&str, &str); 11] = [
    ("/", "Overview"),
    ("/domains", "Domains"),
    ("/accounts", "Accounts"),
    ("/aliases", "Aliases"),
    ("/queue", "Queue"),
    ("/activity", "Activity"),
    ("/reports", "Reports"),
    ("/certificates", "Certificates"),
    ("/logs", "Logs"),
    ("/backup", "Backup"),
    ("/settings", "Settings"),
];

/// The pages of everyone.
const OWN: [(&str, &str); 4] = [
    ("/me", "My account"),
    ("/me/devices", "My devices"),
    ("/me/app-passwords", "App passwords"),
    ("/me/forwarding", "Forwarding"),
];

/// Renders a page: in the house's frame when someone is signed in, else in a plain one.
pub(crate) fn render(frame: &Frame, content: impl FnOnce() -> AnyView) -> String {
    let title = if frame.host.is_empty() || frame.title == frame.host {
        frame.title.clone()
    } else {
        format!("{} · {}", frame.title, frame.host)
    };
    let owner = Owner::new();
    let body = owner.with(|| {
        let inside = match &frame.visitor {
            Some(visitor) => house(frame, visitor, content()),
            None => plain(frame, content()),
        };
        view! {
            <html lang="en">
                <head>
                    <meta charset="utf-8" />
                    <meta name="viewport" content="width=device-width, initial-scale=1" />
                    <meta name="color-scheme" content="light dark" />
                    <meta name="robots" content="noindex" />
                    <title>{title}</title>
                    <link rel="icon" href="/icon.svg" />
                    <link rel="stylesheet" href="/style.css" />
                    <script src="/script.js" defer=true></script>
                </head>
                {inside}
            </html>
        }
        .to_html()
    });
    format!("<!DOCTYPE html>{body}")
}

fn plain(frame: &Frame, content: AnyView) -> AnyView {
    view! {
        <body class="plain">
            <main id="main">{notices(frame)}{content}</main>
        </body>
    }
    .into_any()
}

fn house(frame: &Frame, visitor: &Visitor, content: AnyView) -> AnyView {
    let host = frame.host.clone();
    view! {
        <body>
            <a class="skip" href="#main">"Skip to the page"</a>
            <div class="house">
                <header class="side">
                    <a class="brand" href="/">"Mailstead"</a>
                    <p class="host">{host}</p>
                    <button type="button" class="second slight menu-button" popovertarget="pages">"Menu"</button>
                    {navigation(frame, visitor)}
                </header>
                <main id="main">{notices(frame)}{content}</main>
            </div>
        </body>
    }
    .into_any()
}

fn navigation(frame: &Frame, visitor: &Visitor) -> AnyView {
    let govern = visitor.operator.then(|| pages("This server", &GOVERN, frame.here));
    let own = pages("You", &OWN, frame.here);
    view! {
        <nav id="pages" class="pages" aria-label="Pages" popover="auto">
            {govern}
            {own}
            {who(frame, visitor.address.clone())}
        </nav>
    }
    .into_any()
}

fn who(frame: &Frame, address: String) -> AnyView {
    view! {
        <div class="who">
            <p>{address}</p>
            {action(frame, "/logout", "Sign out", "second slight", &[])}
        </div>
    }
    .into_any()
}

fn pages(title: &'static str, list: &'static [(&'static str, &'static str)], here: &'static str) -> AnyView {
    let items: Vec<AnyView> = list
        .iter()
        .map(|(path, name)| {
            let current = (*path == here).then_some("page");
            view! { <li><a href=*path aria-current=current>{*name}</a></li> }.into_any()
        })
        .collect();
    view! {
        <h2>{title}</h2>
        <ul>{items}</ul>
    }
    .into_any()
}

fn notices(frame: &Frame) -> Vec<AnyView> {
    let notice = |notice: &Notice| {
        let (class, role) = match notice.kind {
            NoticeKind::Done => ("notice done", "status"),
            NoticeKind::Careful => ("notice careful", "status"),
            NoticeKind::Problem => ("notice problem", "alert"),
        };
        view! { <p class=class role=role>{prose(&notice.text)}</p> }.into_any()
    };
    frame.notices.iter().map(notice).collect()
}
