//! One account for people.

use mailstead_web::control::AccountDetail;

use super::{bytes, printable, table};

pub(super) fn one(account: &AccountDetail) -> String {
    let view = &account.view;
    let quota = view.quota.map_or_else(|| "no limit".to_owned(), bytes);
    let state = match (view.disabled, view.operator) {
        (true, _) => "can't log in",
        (false, true) => "an operator",
        (false, false) => "can log in",
    };
    let mut lines = vec![
        format!("{}, {state}, since {}", view.address, view.created),
        format!("{} letters, {} of {quota}", account.letters, bytes(view.used)),
    ];
    if !view.addresses.is_empty() {
        lines.push(format!("Also reached at {}", view.addresses.join(", ")));
    }
    if !account.aliases.is_empty() {
        lines.push(format!("By aliases: {}", account.aliases.join(", ")));
    }
    if !account.app_passwords.is_empty() {
        lines.push(format!("\n{}", super::app_passwords::list(&account.app_passwords)));
    }
    if !account.sessions.is_empty() {
        let rows = account.sessions.iter().map(|session| {
            vec![session.from.clone(), session.created.clone(), session.seen.clone(), printable(&session.agent)]
        });
        lines.push(format!("\n{}", table(&["SIGNED IN FROM", "SINCE", "LAST SEEN", "BROWSER"], rows)));
    }
    lines.join("\n")
}
