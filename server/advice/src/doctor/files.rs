//! May it have enough files and connections open?

use super::Patient;
use super::finding::{Finding, Subject};
use super::host::{Host, OpenFiles};

pub(super) const SUBJECT: Subject = Subject {
    id: "open-files",
    title: "Open files",
    why: "Each connection needs one: at the limit nobody can connect any more, neither servers nor mail programs.",
};

/// The store, its packs, the log and connections going out.
const BESIDES: u64 = 256;

pub(super) fn look(patient: &Patient, host: &dyn Host) -> Vec<Finding> {
    // A stopped server's limit is not ours.
    if !patient.running {
        return Vec::new();
    }
    match host.open_files() {
        Ok(files) => vec![judge(files, patient.sessions as u64 + BESIDES)],
        Err(error) => vec![SUBJECT.unknown(format!("How many files may be open can't be read: {error}."))],
    }
}

fn judge(files: OpenFiles, wanted: u64) -> Finding {
    let OpenFiles { open, limit } = files;
    let Some(limit) = limit else {
        return SUBJECT.good(format!("{open} files and connections are open, and there is no limit."));
    };
    let raise = |finding: Finding| {
        finding
            .todo("Put LimitNOFILE=65536 under [Service] of its systemd unit, and restart it.")
            .command("sudo systemctl edit mailstead")
    };
    if open >= limit - limit / 5 {
        return raise(SUBJECT.bad(format!("{open} of at most {limit} files and connections are open.")));
    }
    if limit < wanted {
        let what = format!("At most {limit} files and connections may be open, fewer than limits.sessions promises.");
        return raise(SUBJECT.warning(what));
    }
    SUBJECT.good(format!("{open} of at most {limit} files and connections are open."))
}
