//! A full disk: temporary errors, the process lives, everything acknowledged is intact, and work goes on when there
//! is room.

use std::path::{Path, PathBuf};

use mailstead_tests::letter::header;
use mailstead_tests::process::is_root;
use mailstead_tests::{Letter, Served, Tool};

use crate::MAILSTEAD;

/// A small file system of its own in memory; unmounted when dropped.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    #[track_caller]
    fn mount(megabytes: usize) -> Self {
        assert!(is_root(), "a small file system can only be mounted by root: run these tests as root");
        let folder = tempfile::tempdir().unwrap();
        let size = format!("size={megabytes}m,mode=0755");
        Tool::new("mount").args(["-t", "tmpfs", "-o", &size, "none"]).arg(folder.path()).run();
        Self { folder }
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes most of the room that is left away; gives the file to remove.
    fn fill(&self, leave_kib: u64) -> PathBuf {
        let said = Tool::new("df").args(["--output=avail", "-k"]).arg(self.path()).run();
        let free: u64 = said.output.lines().nth(1).unwrap().trim().parse().unwrap();
        let ballast = self.path().join("ballast");
        std::fs::write(&ballast, vec![b'x'; (free.saturating_sub(leave_kib) << 10) as usize]).unwrap();
        ballast
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg("-l").arg(self.folder.path()).status();
    }
}

fn subjects(served: &Served, mailbox: &str) -> Vec<String> {
    let messages = served.imap("alice").messages_in(mailbox);
    messages.iter().map(|(_, _, bytes)| header(bytes, "Subject").unwrap_or_default()).collect()
}

#[test]
fn a_full_disk_means_try_again_later_and_nothing_acknowledged_is_harmed() {
    let disk = SmallDisk::mount(48);
    let mut served =
        Served::prepare(MAILSTEAD, Some(&disk.path().join("data")), "[dns]\nservers = [\"127.0.0.1:9\"]\n");
    served.start();
    let mut kept = Vec::new();
    let mut appended = Vec::new();
    let letter = |n: usize| {
        (
            format!("letter {n}"),
            Letter::new("x@other.test", "alice@kept.test", &format!("letter {n}")).filled(40_000, n as u64).bytes(),
        )
    };
    let mut smtp = served.try_exchange().unwrap();
    for number in 0..5 {
        let (subject, bytes) = letter(number);
        smtp.send("x@other.test", &["alice@kept.test"], &bytes);
        kept.push(subject);
    }

    let ballast = disk.fill(600);
    let mut refused = 0;
    let mut imap = served.imap("alice");
    for number in 5..200 {
        let (subject, bytes) = letter(number);
        let reply =
            smtp.try_send("x@other.test", &["alice@kept.test"], &bytes).expect("the session lives on a full disk");
        match reply.code {
            250 => kept.push(subject.clone()),
            400..=499 => refused += 1,
            _ => panic!("a full disk is not the sender's fault: {reply}"),
        }
        let answer = imap.try_append("Archive", "\\Seen", &bytes).expect("the session lives on a full disk");
        match answer.status.as_str() {
            "OK" => appended.push(subject),
            "NO" => refused += 1,
            _ => panic!("APPEND on a full disk: {answer:?}"),
        }
        if refused >= 10 {
            break;
        }
    }
    assert!(refused >= 10, "the disk was never full");

    // Reading goes on, and so does the process.
    assert_eq!(subjects(&served, "INBOX"), kept);
    assert_eq!(subjects(&served, "Archive"), appended);
    let mut submission = served.try_submission("carol").expect("login works on a full disk");
    let (_, bytes) = letter(900);
    let from_carol = String::from_utf8(bytes).unwrap().replace("x@other.test", "carol@kept.test");
    let reply = submission.try_send("carol@kept.test", &["friend@away.test"], from_carol.as_bytes()).unwrap();
    assert!((400..=499).contains(&reply.code), "submission on a full disk: {reply}");

    // Room again, and work goes on in the same sessions.
    std::fs::remove_file(ballast).unwrap();
    let (subject, bytes) = letter(1_000);
    smtp.send("x@other.test", &["alice@kept.test"], &bytes);
    kept.push(subject.clone());
    imap.append("Archive", "\\Seen", &bytes);
    appended.push(subject);
    submission.send("carol@kept.test", &["friend@away.test"], from_carol.as_bytes());

    // A kill and a restart change none of it.
    served.kill();
    served.start();
    assert_eq!(subjects(&served, "INBOX"), kept);
    assert_eq!(subjects(&served, "Archive"), appended);
    assert_eq!(served.queue().to_string().matches("\"friend@away.test\"").count(), 1);
}

#[test]
fn it_starts_and_serves_reading_on_a_disk_that_is_full_already() {
    let disk = SmallDisk::mount(48);
    let mut served = Served::prepare(MAILSTEAD, Some(&disk.path().join("data")), "");
    served.start();
    let mut smtp = served.try_exchange().unwrap();
    let bytes = Letter::new("x@other.test", "alice@kept.test", "before").bytes();
    smtp.send("x@other.test", &["alice@kept.test"], &bytes);
    served.kill();
    let _ballast = disk.fill(0);
    served.start();
    assert_eq!(subjects(&served, "INBOX"), ["before"]);
    let reply = served.try_exchange().unwrap().try_send("x@other.test", &["alice@kept.test"], &bytes).unwrap();
    assert!((400..=499).contains(&reply.code) || reply.code == 250, "{reply}");
}

#[test]
fn a_backup_that_finds_no_room_says_what_it_needs_and_leaves_nothing() {
    let disk = SmallDisk::mount(24);
    let served = Served::prepare(MAILSTEAD, None, "");
    let to = disk.path().join("backups");
    let ballast = disk.fill(1 << 10);
    let refused = served.command().arg("backup").arg(&to).run_any();
    assert!(refused.status != 0 && refused.errors.contains("there is not enough room in"), "{refused}");
    assert_eq!(std::fs::read_dir(&to).unwrap().count(), 0);
    let told = served.command().arg("backup").run();
    assert!(told.output.contains("The latest try failed") && told.output.contains("not enough room"), "{told}");
    std::fs::remove_file(ballast).unwrap();
    served.command().arg("backup").arg(&to).run();
    assert!(!served.command().arg("backup").run().output.contains("failed"));
}
