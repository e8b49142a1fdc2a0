//! The front page: what to type into a mail program.

use leptos::prelude::*;

use crate::shell::render;

/// The style sheet of all pages.
pub const STYLE: &str = include_str!("style.css");

/// What a person types into a mail program; `None` where a service is off.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The server's name.
    pub host: String,
    /// Port of IMAP over TLS.
    pub imaps: Option<u16>,
    /// Port of POP3 over TLS.
    pub pop3s: Option<u16>,
    /// Port of sending over TLS.
    pub submissions: Option<u16>,
}

/// The front page.
pub fn page(settings: &Settings) -> String {
    let host = settings.host.clone();
    let rows = [
        ("Reading mail (IMAP)", settings.imaps),
        ("Sending mail (SMTP)", settings.submissions),
        ("Fetching mail (POP3)", settings.pop3s),
    ];
    let rows: Vec<AnyView> =
        rows.into_iter().filter_map(|(purpose, port)| port.map(|port| row(purpose, host.clone(), port))).collect();
    render(&format!("Mail at {}", settings.host), move || {
        view! {
            <main>
                <p class="brand">"Mailstead"</p>
                <h1>{host}</h1>
                <p class="lead">
                    "This is a private mail server. If you have an account here, give your mail program these settings."
                </p>
                <table>
                    <thead>
                        <tr><th scope="col">"For"</th><th scope="col">"Server"</th><th scope="col">"Port"</th><th scope="col">"Security"</th></tr>
                    </thead>
                    <tbody>{rows}</tbody>
                </table>
                <p>
                    "Your user name is your whole mail address, and the password is the one of your account. "
                    "Choose “normal password” where the program asks how to log in."
                </p>
            </main>
        }
        .into_any()
    })
}

fn row(purpose: &'static str, host: String, port: u16) -> AnyView {
    view! {
        <tr>
            <th scope="row">{purpose}</th>
            <td data-label="Server"><code>{host}</code></td>
            <td data-label="Port"><code>{port}</code></td>
            <td data-label="Security">"SSL/TLS"</td>
        </tr>
    }
    .into_any()
}

/// The page for addresses that lead nowhere.
pub fn not_found() -> String {
    render("Not here", || {
        view! {
            <main>
                <p class="brand">"Mailstead"</p>
                <h1>"There is no such page"</h1>
                <p class="lead"><a href="/">"To the front page"</a></p>
            </main>
        }
        .into_any()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn services_that_are_off_are_not_shown() {
        let settings =
            Settings { host: "mail.example.org".to_owned(), imaps: Some(993), pop3s: None, submissions: Some(465) };
        let html = page(&settings);
        assert!(html.starts_with("<!DOCTYPE html>"));
        assert!(html.contains("993") && html.contains("465") && !html.contains("POP3"));
    }
}
