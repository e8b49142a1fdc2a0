//! The data folder: closed to others, and without what old upgrades left?

use jiff::SignedDuration;

use super::finding::{Finding, Subject};
use super::host::{Access, Host};
use super::{Patient, words};

pub(super) const SUBJECT: Subject = Subject {
    id: "folder",
    title: "The data folder",
    why: "It holds every letter and every key, which no other user of this machine should be able to read.",
};

const OLD_COPIES: Subject = Subject {
    id: "old-copies",
    title: "Copies from upgrades",
    why: "Before an upgrade the store is copied; once the new one has proved itself, the copy only takes room.",
};

/// Time to notice that an upgrade went wrong.
const PROVED: SignedDuration = SignedDuration::from_hours(14 * 24);

pub(super) fn look(patient: &Patient, host: &dyn Host) -> Vec<Finding> {
    let mut findings = vec![match host.access(&patient.data) {
        Ok(access) => judge(patient, access, host.user().ok()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound && !patient.running => {
            SUBJECT.unknown(format!("{} is not there yet; the first start makes it.", patient.data.display()))
        }
        Err(error) => SUBJECT
            .bad(format!("{} can't be looked at: {error}.", patient.data.display()))
            .todo("Run this as root or as the user of Mailstead, or mend `data` in the configuration."),
    }];
    findings.extend(old_copies(patient, host));
    findings
}

fn judge(patient: &Patient, access: Access, user: Option<u32>) -> Finding {
    let folder = patient.data.display();
    if access.mode & 0o077 != 0 {
        return SUBJECT
            .bad(format!("Other users of this machine may look into {folder} (mode {:o}).", access.mode & 0o7777))
            .todo("Close it to them.")
            .command(format!("sudo chmod 700 {folder}"));
    }
    // Only the server itself must own it; whoever looks at a stopped one may be another.
    match user {
        Some(user) if patient.running && user != access.owner && user != 0 => SUBJECT
            .bad(format!("{folder} belongs to user {}, but Mailstead runs as user {user}.", access.owner))
            .todo("Give it to the user Mailstead runs as.")
            .command(format!("sudo chown -R {user} {folder}")),
        _ => SUBJECT.good(format!("{folder} is closed to other users of this machine.")),
    }
}

fn old_copies(patient: &Patient, host: &dyn Host) -> Option<Finding> {
    let now = host.now();
    let entries = host.entries(&patient.data).ok()?;
    let copies: Vec<_> = entries
        .into_iter()
        .filter(|entry| entry.name.starts_with("store.before-schema-") && entry.name.ends_with(".redb"))
        .filter(|entry| now.duration_since(entry.written) > PROVED)
        .collect();
    if copies.is_empty() {
        return None;
    }
    let size = words::bytes(copies.iter().map(|copy| copy.size).sum());
    let paths: Vec<String> = copies.iter().map(|copy| patient.data.join(&copy.name).display().to_string()).collect();
    let what = match copies.len() {
        1 => format!("A copy of the store from before an upgrade takes {size}."),
        count => format!("{count} copies of the store from before upgrades take {size}."),
    };
    Some(
        OLD_COPIES
            .warning(what)
            .todo("Remove what is old, if all your mail is where it should be.")
            .command(format!("sudo rm {}", paths.join(" "))),
    )
}
