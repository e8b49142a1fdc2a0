//! Does it run, and can its store be opened?

use super::finding::{Finding, Subject};
use super::{Books, Patient};

pub(super) const SUBJECT: Subject = Subject {
    id: "server",
    title: "Mailstead",
    why: "While it does not run, other servers keep letters to you for some days and nobody can read or send.",
};

const STORE: Subject = Subject {
    id: "store",
    title: "The store",
    why: "It holds every letter and account, and nothing can be served without it.",
};

const DOMAINS: Subject = Subject {
    id: "domains",
    title: "Domains",
    why: "Mail is taken for the domains that are yours, and for no others.",
};

pub(super) fn look(patient: &Patient, books: &Books) -> Vec<Finding> {
    let mut found = vec![match patient.running {
        true => SUBJECT.good(format!("Mailstead runs, version {}.", env!("CARGO_PKG_VERSION"))),
        false => SUBJECT
            .bad("Mailstead is not running.")
            .todo("Start it, and look into its log if it does not stay up.")
            .command("sudo systemctl enable --now mailstead")
            .command("sudo journalctl -u mailstead -n 50"),
    }];
    if let Some(why) = &books.cannot_open {
        found.push(
            STORE
                .bad(format!("The store can't be opened: {}.", why.trim_end_matches('.')))
                .todo("Follow what that sentence says; run this as the user who owns the data folder, such as root."),
        );
    } else if books.domains == 0 {
        let nothing = DOMAINS.warning("There is no domain yet, so no mail is taken for anybody.");
        found.push(nothing.todo("Add yours.").page("/domains").command("mailstead domain add EXAMPLE.ORG"));
    }
    found
}
