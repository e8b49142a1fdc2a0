//! How fast, how small: Mailstead beside Debian's Postfix and Dovecot (LMTP, Maildir), on one machine, in one run.
//!
//! ```sh
//! cargo run --release -p mailstead-tests --bin bench            # as root, with what tests/run installs
//! cargo run --release -p mailstead-tests --bin bench -- --quick # a minute, for a first look
//! ```
//!
//! It builds the release binary, starts both sides from throw-away folders on loopback, and drives both with the same
//! client code, taking turns, so that what else the machine does falls on both. It prints a Markdown table. The
//! clients share the machine's cores with the server they measure, the same for both.
//!
//! * A **delivery** counts when the message is in the mailbox: for Mailstead that is the `250`, for Postfix it is when
//!   its queue is empty again (its `250`s alone are shown beside). Every message is different and about 10 KB.
//! * **Fair play:** Postfix has its limits on strangers lifted and more processes than there are sessions; both keep their
//!   defaults of durability (`fsync` before `250`). Passwords are argon2id for Mailstead and plain for Dovecot, so logins
//!   are not timed.
//! * **Like with like:** Debian's Postfix neither judges nor signs, so Mailstead does neither beside it. What that costs is
//!   measured by itself, Mailstead beside Mailstead: all checks (SPF, DKIM, DMARC, ARC, reverse DNS) of letters with a
//!   right signature, over a local resolver (unbound) whose answers are soon known; and both signatures of a submission.
//! * **The web** is measured while 64 sessions deliver: how long the operator's overview takes, over a connection that is
//!   kept.
//! * **Memory** is the resident set of Mailstead's one process, and the sum of the proportional sets of all processes of
//!   the others.

#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a broken expectation ends the run")]

mod contestant;
mod delivery;
mod machine;
mod pages;
mod price;
mod reading;
mod table;

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use contestant::Pair;
use table::Table;

/// What was asked on the command line.
struct Wish {
    binary: Option<PathBuf>,
    /// Time of one measurement of deliveries.
    span: Duration,
    /// Turns each side gets; the middle one counts.
    turns: usize,
    /// Messages in the mailbox that is read.
    messages: usize,
    /// Nothing but the web is measured.
    web_alone: bool,
}

fn main() {
    let wish = wish();
    let binary = wish.binary.clone().unwrap_or_else(build);
    let mut table = Table::default();
    if wish.web_alone {
        pages::measure(&binary, &wish, &mut table);
        return println!("{}\n{table}", machine::describe());
    }
    eprintln!("Starting both sides …");
    let pair = Pair::start(&binary);
    let idle = pair.memory();
    delivery::measure(&pair, &wish, &mut table);
    let after_deliveries = pair.memory();
    reading::measure(&pair, &wish, &mut table);
    table.memory("idle", &idle);
    table.memory("after the deliveries", &after_deliveries);
    table.memory("after the reading", &pair.memory());
    drop(pair);
    price::measure(&binary, &wish, &mut table);
    pages::measure(&binary, &wish, &mut table);
    table.start_up(&contestant::start_up_times(&binary));
    table.binary_size(std::fs::metadata(&binary).map(|m| m.len()).unwrap_or(0));
    println!("{}\n{table}", machine::describe());
}

fn wish() -> Wish {
    let mut wish = Wish { binary: None, span: Duration::from_secs(4), turns: 3, messages: 10_000, web_alone: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        match argument.as_str() {
            "--quick" => wish = Wish { span: Duration::from_secs(1), turns: 1, messages: 1_000, ..wish },
            "--web" => wish.web_alone = true,
            "--binary" => wish.binary = arguments.next().map(PathBuf::from),
            "--turns" => wish.turns = arguments.next().and_then(|n| n.parse().ok()).unwrap_or(wish.turns),
            _ => {
                eprintln!(
                    "usage: bench [--quick] [--web] [--turns N] [--binary PATH]\n\nWith --web the web alone is measured. PATH is a release build of mailstead; without it one is built."
                );
                std::process::exit(2);
            }
        }
    }
    wish
}

/// Builds the release binary with cargo and gives its path.
fn build() -> PathBuf {
    let workspace = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    let status = cargo.args(["build", "--release", "--package", "mailstead"]).current_dir(&workspace).status();
    assert!(status.is_ok_and(|s| s.success()), "the release build failed");
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| workspace.join("target"), PathBuf::from);
    target.join("release/mailstead")
}
