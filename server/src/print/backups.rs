//! The last backups for people.

use mailstead_web::control::BackupsView;

use super::bytes;

pub(super) fn last(view: &BackupsView) -> String {
    let mut text = match &view.good {
        Some(good) => format!(
            "The last backup: {}, {} letters, {} ({} of them new then), each letter read back and found equal.\n{}",
            good.at,
            good.letters,
            bytes(good.bytes),
            bytes(good.copied),
            good.place
        ),
        None => "No backup was made yet: make one with `mailstead backup FOLDER`, best on another disk.".to_owned(),
    };
    if let Some(failed) = &view.failed {
        text += &format!("\nThe latest try failed ({}): {}", failed.at, failed.why);
    }
    if view.under_way {
        text += "\nA backup is being made right now.";
    }
    text
}
