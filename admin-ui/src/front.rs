//! The front page of those who are not signed in: what to type into a mail program.

use leptos::prelude::*;

use crate::shell::{Frame, render};

/// What a person types into a mail program; `None` where a service is off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings {
    /// The server's name.
    pub host: String,
    /// Port of IMAP over TLS.
    pub imaps: Option<u16>,
    /// Port of IMAP with STARTTLS.
    pub imap: Option<u16>,
    /// Port of POP3 over TLS.
    pub pop3s: Option<u16>,
    /// Port of POP3 with STLS.
    pub pop3: Option<u16>,
    /// Port of sending over TLS.
    pub submissions: Option<u16>,
    /// Port of sending with STARTTLS.
    pub submission: Option<u16>,
}

/// The front page.
pub fn page(frame: &Frame, settings: &Settings) -> String {
    let host = settings.host.clone();
    let rows = [
        ("Reading mail (IMAP)", settings.imaps),
        ("Sending mail (SMTP)", settings.submissions),
        ("Fetching mail (POP3)", settings.pop3s),
    ];
    let rows: Vec<(&'static str, u16)> =
        rows.into_iter().filter_map(|(purpose, port)| port.map(|port| (purpose, port))).collect();
    render(frame, move || {
        let rows: Vec<AnyView> = rows.iter().map(|(purpose, port)| row(purpose, host.clone(), *port)).collect();
        view! {
            <p class="brand">"Mailstead"</p>
            <h1>{host.clone()}</h1>
            <p class="lead">
                "This is a private mail server. If you have an account here, give your mail program these settings, or "
                <a href="/login">"sign in"</a>" for step-by-step instructions."
            </p>
            <table class="table settings">
                <thead>
                    <tr><th scope="col">"For"</th><th scope="col">"Server"</th><th scope="col">"Port"</th><th scope="col">"Security"</th></tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
            <p>
                "Your user name is your whole mail address, and the password is the one of your account. "
                "Choose “normal password” where the program asks how to log in."
            </p>
            <p><a class="button" href="/login">"Sign in"</a></p>
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn services_that_are_off_are_not_shown() {
        let settings = Settings {
            host: "mail.example.org".to_owned(),
            imaps: Some(993),
            submissions: Some(465),
            ..Settings::default()
        };
        let html = page(&Frame::default(), &settings);
        assert!(html.starts_with("<!DOCTYPE html>"));
        assert!(html.contains("993") && html.contains("465") && !html.contains("POP3"));
    }
}
