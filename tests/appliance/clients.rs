//! The programs people use: sending with swaks, curl and mutt; reading with curl, mbsync, Python, mutt and fetchmail.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use mailstead_tests::letter::{contains, header};
use mailstead_tests::{Demo, Letter, Tool};

use crate::demo;

const ALICE: &str = "alice@home.test";
const BOB: &str = "bob@world.test";

/// A letter from bob to alice in a file of its own, for clients that want one.
fn letter_file(folder: &Path, subject: &str) -> std::path::PathBuf {
    let path = folder.join(format!("{}.eml", subject.replace(' ', "-")));
    fs::write(&path, Letter::new(BOB, ALICE, subject).bytes()).unwrap();
    path
}

/// Puts letters with these subjects into alice's mailbox.
fn deliver(demo: &Demo, subjects: &[&str]) {
    let mut smtp = demo.exchange("home.test");
    for subject in subjects {
        smtp.send(BOB, &[ALICE], &Letter::new(BOB, ALICE, subject).bytes());
    }
    smtp.quit();
}

fn swaks(demo: &Demo, port: u16) -> Tool {
    let tool = Tool::new("swaks").args(["--server", "127.0.0.1", "--port", &port.to_string(), "--helo", "client.test"]);
    tool.args(["--timeout", "30", "--tls-verify"]).arg("--tls-ca-path").arg(&demo.world.ca)
}

fn curl(demo: &Demo) -> Tool {
    Tool::new("curl")
        .args(["--silent", "--show-error", "--ssl-reqd", "--max-time", "30", "--cacert"])
        .arg(&demo.world.ca)
}

fn login(demo: &Demo, address: &str) -> String {
    format!("{address}:{}", demo.account(address).password)
}

#[test]
fn swaks_delivers_on_port_25_and_curl_reads_it_over_imap() {
    let demo = demo();
    let file = letter_file(demo.folder(), "by swaks in the clear");
    swaks(&demo, demo.home().ports.smtp)
        .args(["--from", BOB, "--to", ALICE, "--data"])
        .arg(format!("@{}", file.display()))
        .run();
    let url = format!("imaps://localhost:{}/INBOX;UID=1", demo.home().ports.imaps);
    let read = curl(&demo).args(["--user", &login(&demo, ALICE), &url]).run();
    assert!(read.output.contains("Subject: by swaks in the clear\r\n"), "{read}");
    // Swaks ends a message with an empty line of its own.
    assert!(read.output.trim_end().ends_with("..and one with dots\r\n.\r\n.hidden\r\nThe last one."), "{read}");
}

#[test]
fn swaks_delivers_on_port_25_under_starttls() {
    let demo = demo();
    let file = letter_file(demo.folder(), "by swaks under TLS");
    swaks(&demo, demo.home().ports.smtp)
        .args(["-tls", "--from", BOB, "--to", ALICE, "--data"])
        .arg(format!("@{}", file.display()))
        .run();
    let stored = demo.imap(ALICE).wait_for("INBOX", "by swaks under TLS");
    let received = header(&stored, "Received").unwrap();
    assert!(received.contains("ESMTPS") && received.contains("TLSv1"), "{received}");
}

#[test]
fn swaks_submits_on_587_and_465_with_plain_and_login() {
    let demo = demo();
    let ports = demo.home().ports;
    let password = demo.account(ALICE).password;
    let ways = [
        (ports.submission, "-tls", "PLAIN"),
        (ports.submission, "-tls", "LOGIN"),
        (ports.submissions, "-tlsc", "PLAIN"),
        (ports.submissions, "-tlsc", "LOGIN"),
    ];
    for (port, tls, mechanism) in ways {
        let subject = format!("submitted {port} {mechanism}");
        let said = swaks(&demo, port)
            .args([tls, "--auth", mechanism, "--auth-user", ALICE, "--auth-password", &password])
            .args(["--from", ALICE, "--to", "carol@home.test", "--header", &format!("Subject: {subject}")])
            .run();
        assert!(said.output.contains("\n<~  235") || said.output.contains(" 235"), "{said}");
        demo.imap("carol@home.test").wait_for("INBOX", &subject);
    }
}

#[test]
fn swaks_without_tls_is_refused_before_it_shows_its_password() {
    let demo = demo();
    let said = swaks(&demo, demo.home().ports.submission)
        .args(["--auth", "PLAIN", "--auth-user", ALICE, "--auth-password", "a secret", "--from", ALICE, "--to", BOB])
        .run_any();
    assert_ne!(said.status, 0, "{said}");
}

#[test]
fn curl_sends_on_all_three_ports() {
    let demo = demo();
    let ports = demo.home().ports;
    for (index, url) in [
        format!("smtp://localhost:{}/client.test", ports.smtp),
        format!("smtp://localhost:{}/client.test", ports.submission),
        format!("smtps://localhost:{}/client.test", ports.submissions),
    ]
    .iter()
    .enumerate()
    {
        let subject = format!("by curl {index}");
        let file = demo.folder().join("letter");
        fs::write(&file, Letter::new("carol@home.test", ALICE, &subject).bytes()).unwrap();
        let mut tool =
            curl(&demo).args(["--mail-from", "carol@home.test", "--mail-rcpt", ALICE, "--upload-file"]).arg(&file);
        if index > 0 {
            tool = tool.args(["--user", &login(&demo, "carol@home.test")]);
        }
        tool.arg(url).run();
        demo.imap(ALICE).wait_for("INBOX", &subject);
    }
}

#[test]
fn curl_reads_imap_with_starttls_and_searches() {
    let demo = demo();
    deliver(&demo, &["first of two", "second of two"]);
    let url = format!("imap://localhost:{}", demo.home().ports.imap);
    let user = login(&demo, ALICE);
    let list = curl(&demo).args(["--user", &user, &url]).run();
    for folder in ["INBOX", "\\Drafts", "\\Sent", "\\Archive", "\\Junk", "\\Trash"] {
        assert!(list.output.contains(folder), "no {folder}: {list}");
    }
    let found = curl(&demo).args(["--user", &user, &format!("{url}/INBOX?SUBJECT%20second")]).run();
    assert_eq!(found.output.trim(), "* SEARCH 2", "{found}");
    let part = curl(&demo)
        .args(["--user", &user, &format!("{url}/INBOX;MAILINDEX=2;SECTION=HEADER.FIELDS%20(SUBJECT)")])
        .run();
    assert!(part.output.contains("Subject: second of two"), "{part}");
}

#[test]
fn curl_reads_and_deletes_over_pop3() {
    let demo = demo();
    deliver(&demo, &["pop one", "pop two"]);
    let user = login(&demo, ALICE);
    for url in [
        format!("pop3s://localhost:{}", demo.home().ports.pop3s),
        format!("pop3://localhost:{}", demo.home().ports.pop3),
    ] {
        let list = curl(&demo).args(["--user", &user, &url]).run();
        assert_eq!(list.output.lines().count(), 2, "{list}");
        let second = curl(&demo).args(["--user", &user, &format!("{url}/2")]).run();
        assert!(second.output.contains("Subject: pop two\r\n"), "{second}");
        assert!(second.output.ends_with("\r\n.\r\n.hidden\r\nThe last one.\r\n"), "{second}");
    }
    let url = format!("pop3s://localhost:{}/1", demo.home().ports.pop3s);
    curl(&demo).args(["--user", &user, "--request", "DELE", "--list-only", &url]).run_any();
    let mut imap = demo.imap(ALICE);
    mailstead_tests::eventually("one letter is left", mailstead_tests::wait::DELIVERY, || {
        (imap.messages_in("INBOX").len() == 1).then_some(())
    });
}

#[test]
fn python_imaplib_lives_its_day() {
    let demo = demo();
    deliver(&demo, &["for python one", "for python two", "for python three"]);
    python(&demo, include_str!("scripts/imap_day.py"), demo.home().ports.imap);
}

#[test]
fn python_poplib_reads_and_deletes_only_at_quit() {
    let demo = demo();
    deliver(&demo, &["for python one", "for python two", "for python three"]);
    python(&demo, include_str!("scripts/pop_day.py"), demo.home().ports.pop3);
}

#[test]
fn python_smtplib_sends_an_internationalised_letter() {
    let demo = demo();
    python(&demo, include_str!("scripts/smtp_day.py"), demo.home().ports.submission);
    let stored = demo.imap("carol@home.test").wait_for("INBOX", "Ein Brief mit Umlauten");
    assert!(contains(&stored, "Ein Brief mit Umlauten: äöü"), "{}", String::from_utf8_lossy(&stored));
}

/// Runs a script with the port, the CA, alice's login and her password as its arguments.
#[track_caller]
fn python(demo: &Demo, script: &str, port: u16) {
    let alice = demo.account(ALICE);
    let tool = Tool::new("python3").args(["-c", script, &port.to_string()]).arg(&demo.world.ca);
    let said = tool.args([&alice.address, &alice.password]).home(demo.folder()).run();
    assert!(said.output.trim().ends_with("all is well"), "{said}");
}

/// mbsync's two sides: alice's IMAP account and a Maildir.
fn mbsync(demo: &Demo) -> (std::path::PathBuf, impl Fn()) {
    let (alice, folder) = (demo.account(ALICE), demo.folder().to_owned());
    let (maildir, rc) = (folder.join("maildir"), folder.join("mbsyncrc"));
    fs::create_dir(&maildir).unwrap();
    fs::write(
        &rc,
        format!(
            "IMAPAccount home\nHost localhost\nPort {}\nUser {}\nPass {}\nSSLType IMAPS\nCertificateFile {}\n\
             SystemCertificates no\n\nIMAPStore far\nAccount home\n\nMaildirStore near\nPath {dir}/\nInbox {dir}/INBOX\n\
             SubFolders Verbatim\n\nChannel all\nFar :far:\nNear :near:\nPatterns *\nCreate Both\nExpunge Both\n\
             SyncState *\n",
            demo.home().ports.imaps,
            alice.address,
            alice.password,
            demo.world.ca.display(),
            dir = maildir.display(),
        ),
    )
    .unwrap();
    let home = folder.clone();
    let sync = move || drop(Tool::new("mbsync").arg("-c").arg(&rc).arg("all").home(&home).run());
    (maildir, sync)
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let both = ["cur", "new"].into_iter().flat_map(|name| fs::read_dir(folder.join(name)).into_iter().flatten());
    let mut files: Vec<_> = both.flatten().map(|entry| entry.path()).collect();
    files.sort();
    files
}

fn file_with(folder: &Path, part: &str) -> Option<std::path::PathBuf> {
    files(folder).into_iter().find(|path| contains(&fs::read(path).unwrap(), part))
}

#[test]
fn mbsync_keeps_both_sides_the_same_with_flags_and_deletions() {
    let demo = demo();
    deliver(&demo, &["sync one", "sync two", "sync three"]);
    let (maildir, sync) = mbsync(&demo);
    let inbox = maildir.join("INBOX");
    sync();
    assert_eq!(files(&inbox).len(), 3);
    assert!(maildir.join("Sent").is_dir() && maildir.join("Trash").is_dir(), "the standard folders came along");

    // The server's changes reach the Maildir: a flag and a deletion.
    let mut imap = demo.imap(ALICE);
    imap.ok("SELECT INBOX");
    imap.ok("STORE 1 +FLAGS (\\Seen \\Flagged)");
    imap.ok("STORE 2 +FLAGS (\\Deleted)");
    imap.ok("EXPUNGE");
    sync();
    let one = file_with(&inbox, "Subject: sync one").unwrap();
    assert!(one.to_string_lossy().ends_with("2,FS"), "{one:?}");
    assert_eq!(file_with(&inbox, "Subject: sync two"), None);

    // The Maildir's changes reach the server: a flag, a deletion, and a new message in a new folder.
    let three = file_with(&inbox, "Subject: sync three").unwrap();
    let name = three.file_name().unwrap().to_string_lossy().into_owned();
    let base = name.split(":2,").next().unwrap();
    fs::rename(&three, inbox.join("cur").join(format!("{base}:2,RS"))).unwrap();
    fs::remove_file(one).unwrap();
    for name in ["Projects", "Projects/cur", "Projects/new", "Projects/tmp"] {
        fs::create_dir(maildir.join(name)).unwrap();
    }
    let made_here = Letter::new(ALICE, BOB, "made at home").bytes();
    let unix: Vec<u8> = made_here.iter().copied().filter(|&b| b != b'\r').collect();
    fs::write(maildir.join("Projects/cur/1.made.here:2,S"), unix).unwrap();
    sync();
    let left = imap.messages_in("INBOX");
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(left[0].1.contains("\\Answered") && left[0].1.contains("\\Seen"), "{}", left[0].1);
    let uploaded = imap.messages_in("Projects");
    assert_eq!(uploaded.len(), 1);
    assert!(contains(&uploaded[0].2, "Subject: made at home\r\n"), "{}", String::from_utf8_lossy(&uploaded[0].2));
    // And once more there is nothing to do.
    let before = (files(&inbox), files(&maildir.join("Projects")));
    sync();
    assert_eq!(before, (files(&inbox), files(&maildir.join("Projects"))));
}

#[test]
fn mutt_reads_the_inbox_and_sends_an_answer() {
    let demo = demo();
    deliver(&demo, &["for mutt one", "for mutt two"]);
    let (alice, folder, ports) = (demo.account(ALICE), demo.folder(), demo.home().ports);
    let (rc, mbox) = (folder.join("muttrc"), folder.join("copied"));
    fs::write(
        &rc,
        format!(
            "set ssl_ca_certificates_file=\"{ca}\"\nset certificate_file=\"{ca}\"\nset ssl_force_tls=yes\n\
             set imap_user=\"{user}\"\nset imap_pass=\"{password}\"\nset smtp_pass=\"{password}\"\n\
             set folder=\"imaps://localhost:{imaps}/\"\nset spoolfile=\"imaps://localhost:{imaps}/INBOX\"\n\
             set smtp_url=\"smtps://{user}@localhost:{submissions}/\"\nset from=\"{user}\"\nset realname=\"Alice\"\n\
             set use_envelope_from=yes\nset record=\"\"\nset mbox_type=mbox\nset confirmappend=no\nset confirmcreate=no\n\
             set copy=no\nset quit=yes\nset delete=no\nset move=no\nset wait_key=no\nset beep=no\n",
            ca = demo.world.ca.display(),
            user = alice.address,
            password = alice.password,
            imaps = ports.imaps,
            submissions = ports.submissions,
        ),
    )
    .unwrap();
    // mutt reads only at a terminal: `script` lends it one.
    let keys = format!("push '<tag-pattern>~A<enter><tag-prefix><copy-message>{}<enter><quit>'", mbox.display());
    let command = format!("mutt -F {} -e \"{keys}\"", rc.display());
    Tool::new("script").args(["-qec", &command, "/dev/null"]).env("TERM", "xterm").home(folder).run();
    let copied = fs::read(&mbox).unwrap();
    assert!(contains(&copied, "Subject: for mutt one\n") && contains(&copied, "Subject: for mutt two\n"));

    let tool = Tool::new("mutt").arg("-F").arg(&rc).args(["-s", "Re: from mutt", "carol@home.test"]);
    tool.home(folder).input("Yes, gladly.\n").run();
    let stored = demo.imap("carol@home.test").wait_for("INBOX", "Re: from mutt");
    assert!(contains(&stored, "Yes, gladly.\r\n"), "{}", String::from_utf8_lossy(&stored));
}

#[test]
fn fetchmail_fetches_and_empties_over_imap_and_pop3() {
    let demo = demo();
    let (alice, folder, ports) = (demo.account(ALICE), demo.folder(), demo.home().ports);
    for (protocol, port) in [("IMAP", ports.imaps), ("POP3", ports.pop3s)] {
        deliver(&demo, &[&format!("{protocol} one"), &format!("{protocol} two")]);
        let (rc, fetched) = (folder.join("fetchmailrc"), folder.join(format!("fetched-{protocol}")));
        fs::write(
            &rc,
            format!(
                "poll localhost protocol {protocol} port {port} user \"{}\" password \"{}\" ssl sslcertck \
                 sslcertfile \"{}\" no keep fetchall mda \"/bin/sh -c 'cat >> {}'\"\n",
                alice.address,
                alice.password,
                demo.world.ca.display(),
                fetched.display()
            ),
        )
        .unwrap();
        fs::set_permissions(&rc, fs::Permissions::from_mode(0o600)).unwrap();
        Tool::new("fetchmail").arg("-f").arg(&rc).arg("--nosyslog").home(folder).env("FETCHMAILHOME", folder).run();
        let bytes = fs::read(&fetched).unwrap();
        for subject in ["one", "two"] {
            assert!(
                contains(&bytes, &format!("Subject: {protocol} {subject}\n")),
                "{}",
                String::from_utf8_lossy(&bytes)
            );
        }
        assert_eq!(demo.imap(ALICE).messages_in("INBOX").len(), 0, "{protocol} left something behind");
    }
}
