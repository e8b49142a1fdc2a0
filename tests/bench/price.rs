//! What it costs to know who is who: Mailstead beside Mailstead, judging and not, signing and not.

use std::path::Path;

use mailstead_tests::SignedRoot;
use mailstead_tests::bind::Signed;
use mailstead_tests::referees::{Dkimpy, Signing, SigningKey, txt_line};
use tempfile::TempDir;

use crate::Wish;
use crate::contestant::{Contestant, mailstead};
use crate::delivery::{Letters, Style, compare};
use crate::table::Table;

/// Sessions at once: one after the other, and as many as keep both cores busy.
const SESSIONS: [usize; 2] = [1, 8];

/// Measures both prices.
pub(crate) fn measure(binary: &Path, wish: &Wish, table: &mut Table) {
    let folder = TempDir::new().expect("a temporary folder");
    let key = SigningKey::rsa(folder.path(), "key", 2_048);
    let other = published(&key);
    let root = SignedRoot::serve(&[
        ("other.test", &other, Signed::Nsec),
        ("client.test", "@ IN A 127.0.0.1\n", Signed::Nsec),
        ("127.in-addr.arpa", "1.0.0 IN PTR client.test.\n", Signed::Nsec),
    ]);
    let letters = Letters::signed(|letter| Dkimpy(&root.names).sign(letter, &key, &Signing::usual("other.test", "k1")));
    let names = format!(
        "[dns]\nservers = [\"{}\"]\ntrust_anchor = \"{}\"\n",
        root.names.address,
        root.bind.trust_anchor().display()
    );
    let sides = |section: &str, key: &str| {
        [("with", true), ("without", false)]
            .map(|(name, on)| mailstead(binary, name, &format!("{names}{section}\n{key} = {on}\n")))
    };
    let [with, without] = sides("[checks]", "enabled");
    assert_judged(&with, &letters);
    compare_all([&with, &without], &letters, Style::Several, "all checks, port 25, 50 messages a session", wish, table);
    drop((with, without));
    let [with, without] = sides("[checks]\nenabled = false\n[delivery]", "sign");
    compare_all([&with, &without], &Letters::make(), Style::Submission, "signing, submission under TLS", wish, table);
}

fn compare_all(sides: [&Contestant; 2], letters: &Letters, style: Style, what: &str, wish: &Wish, table: &mut Table) {
    for sessions in SESSIONS {
        table.price(what, sessions, compare(sides, letters, style, what, sessions, wish));
    }
}

/// What the sender of all letters has published.
fn published(key: &SigningKey) -> String {
    [
        txt_line("other.test", "v=spf1 ip4:127.0.0.1 -all"),
        txt_line("_dmarc.other.test", "v=DMARC1; p=reject; adkim=s; aspf=s"),
        txt_line("k1._domainkey.other.test", &key.record()),
    ]
    .concat()
}

/// A measurement of checks that all fail would be one of something else.
fn assert_judged(side: &Contestant, letters: &Letters) {
    let mut imap = side.imap();
    side.give(letters);
    let stored = imap.wait_for("INBOX", "letter 0");
    let shown = String::from_utf8_lossy(&stored);
    for result in ["spf=pass", "dkim=pass", "dmarc=pass", "arc=none", "iprev=pass"] {
        assert!(shown.contains(result), "no {result}:\n{shown}");
    }
}
