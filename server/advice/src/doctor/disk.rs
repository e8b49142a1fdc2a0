//! Is there room?

use super::finding::{Finding, Subject};
use super::host::{Host, Space};
use super::{Patient, words};

pub(super) const SUBJECT: Subject = Subject {
    id: "disk",
    title: "Room on the disk",
    why: "On a full disk no letter can be kept, so none is taken: other servers wait some days, then send it back.",
};

/// Below 4 MiB the store takes nothing any more; one letter can be 50 MB.
const LAST: u64 = 100_000_000;
/// Enough to notice in time.
const LOW: u64 = 1_000_000_000;
/// One of so many left is little on any disk.
const LOW_SHARE: u64 = 20;
/// The store itself needs few files; the rest of the system needs more.
const LAST_INODES: u64 = 200;

pub(super) fn look(patient: &Patient, host: &dyn Host) -> Vec<Finding> {
    // Before the first start the folder is not there, but the disk it will be on is.
    let spaces = patient.data.ancestors().map(|folder| host.space(folder));
    let there =
        |space: &std::io::Result<Space>| !space.as_ref().is_err_and(|e| e.kind() == std::io::ErrorKind::NotFound);
    match spaces.into_iter().find(there).unwrap_or_else(|| host.space(&patient.data)) {
        Ok(space) => vec![judge(patient, space)],
        Err(error) => {
            vec![SUBJECT.unknown(format!("The room in {} can't be read: {error}.", patient.data.display()))]
        }
    }
}

fn judge(patient: &Patient, space: Space) -> Finding {
    let Space { bytes, free_bytes, inodes, free_inodes } = space;
    let folder = patient.data.display();
    let left = format!("{} of {} are free for {folder}", words::bytes(free_bytes), words::bytes(bytes));
    let few_inodes = format!("The file system of {folder} can hold only {free_inodes} more files");
    let more = "Free some room, or give the machine a larger disk.";
    let largest = format!("sudo du -xh --max-depth=2 {folder} | sort -h | tail");
    if free_bytes < LAST {
        return SUBJECT.bad(format!("Only {left}.")).todo(more).command(largest);
    }
    if inodes > 0 && free_inodes < LAST_INODES {
        return SUBJECT.bad(format!("{few_inodes}.")).todo("Remove files that nobody needs.");
    }
    if free_bytes < LOW || free_bytes < bytes / LOW_SHARE {
        return SUBJECT.warning(format!("Only {left}.")).todo(more).command(largest);
    }
    if inodes > 0 && free_inodes < inodes / LOW_SHARE {
        return SUBJECT.warning(format!("{few_inodes}.")).todo("Remove files that nobody needs.");
    }
    SUBJECT.good(format!("{left}."))
}
