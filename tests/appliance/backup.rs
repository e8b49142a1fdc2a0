//! Backups of a running server by its own command line, and the way back.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use mailstead_tests::{Letter, Served};
use tempfile::TempDir;

use crate::MAILSTEAD;

/// Sends letters from carol to alice; gives their subjects.
fn send(served: &Served, numbers: std::ops::Range<usize>) {
    let mut smtp = served.try_submission("carol").unwrap();
    for number in numbers {
        let letter = Letter::new("carol@kept.test", "alice@kept.test", &format!("letter {number}"));
        smtp.send("carol@kept.test", &["alice@kept.test"], &letter.filled(20_000, number as u64).bytes());
    }
}

/// All of alice's letters.
fn letters(served: &Served) -> Vec<Vec<u8>> {
    served.imap("alice").messages_in("INBOX").into_iter().map(|(_, _, bytes)| bytes).collect()
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().into_string().unwrap()).collect()
}

#[test]
fn a_running_server_is_backed_up_whatever_kills_the_backup_and_comes_back_from_it() {
    let folder = TempDir::new().unwrap();
    let (data, backups) = (folder.path().join("data"), folder.path().join("backups"));
    let mut served = Served::prepare(MAILSTEAD, Some(&data), "");
    served.start();
    send(&served, 0..40);
    let to = backups.to_str().unwrap();
    for milliseconds in [5, 20, 40, 60, 90, 130] {
        let mut killed = Command::new(MAILSTEAD)
            .args(["--data", data.to_str().unwrap(), "backup", to])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // No condition to wait for: the moment itself is what is tried.
        std::thread::sleep(Duration::from_millis(milliseconds));
        let _ = killed.kill();
        let _ = killed.wait();
        let whole = names(&backups).iter().any(|name| !name.ends_with(".part"));
        let checked = served.command().args(["backup", "--check", to]).run_any();
        assert_eq!(checked.status == 0, whole, "{milliseconds} ms: {checked}");
    }
    let before = letters(&served);
    assert_eq!(before.len(), 40);
    let made = std::thread::scope(|scope| {
        let load = scope.spawn(|| send(&served, 40..80));
        let made = served.command().args(["backup", to]).run();
        load.join().unwrap();
        made
    });
    assert!(made.output.contains("each read back and found equal"), "{made}");
    assert!(names(&backups).iter().all(|name| !name.ends_with(".part")), "{:?}", names(&backups));
    served.command().args(["backup", "--check", to]).run();
    let told = served.command().arg("backup").run();
    assert!(told.output.contains("The last backup"), "{told}");
    assert!(!data.join("backup-staging").exists());

    let refused = served.command().args(["restore", to]).run_any();
    assert!(refused.errors.contains("stop it"), "{refused}");
    served.stop();
    let refused = served.command().args(["restore", to]).run_any();
    assert!(refused.errors.contains("is not empty"), "{refused}");
    std::fs::rename(&data, folder.path().join("old")).unwrap();
    let restored = served.command().args(["restore", to]).run();
    assert!(restored.output.contains("each proved"), "{restored}");
    served.start();
    let after = letters(&served);
    assert!(before.iter().all(|letter| after.contains(letter)), "{} of {}", after.len(), before.len());
    send(&served, 80..81);
    assert_eq!(letters(&served).len(), after.len() + 1);
}
