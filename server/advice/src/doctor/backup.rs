//! Is there a copy of everything?

use jiff::SignedDuration;

use super::books::{Books, Copies};
use super::finding::{Finding, Subject};
use super::host::Host;
use super::words;

pub(super) const SUBJECT: Subject = Subject {
    id: "backup",
    title: "Backup",
    why: "A disk can die at any time, and then a copy elsewhere is all that is left of your letters.",
};

/// More than that of new letters is a loss that hurts.
const STALE: SignedDuration = SignedDuration::from_hours(8 * 24);

pub(super) fn look(host: &dyn Host, books: &Books) -> Vec<Finding> {
    let overdue = |what: String| {
        SUBJECT
            .warning(what)
            .todo("Make one, and keep it on another machine.")
            .page("/backup")
            .command("mailstead backup /PATH/TO/A/FOLDER")
    };
    vec![match books.copies {
        Copies::Unknown => return Vec::new(),
        Copies::Never => overdue("No backup was ever made.".to_owned()),
        Copies::Last(at) => {
            let age = host.now().duration_since(at);
            match age > STALE {
                true => overdue(format!("The last backup was made {} ago.", words::span(age))),
                false => SUBJECT.good(format!("The last backup was made {} ago.", words::span(age))).page("/backup"),
            }
        }
    }]
}
