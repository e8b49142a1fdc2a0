//! Power loss by proxy: under load, killed at a random moment, started again, again and again; what was acknowledged
//! is there, once, byte for byte.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mailstead_tests::letter::header;
use mailstead_tests::{Letter, Served};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

use crate::MAILSTEAD;

/// Rounds of load, kill and restart.
const ROUNDS: usize = 50;
/// No more rounds are begun after this time, once there were enough: the loop is bounded.
const ENOUGH: Duration = Duration::from_secs(300);
/// A queue that only grows: DNS is down (nothing answers at this address), which must never bounce anything.
const DNS_DOWN: &str = "[dns]\nservers = [\"127.0.0.1:9\"]\n";

/// What a client was told.
#[derive(Debug, Default)]
struct Ledger {
    /// Every message that was begun: its subject and its bytes.
    sent: HashMap<String, Vec<u8>>,
    /// Those the server said yes to.
    acknowledged: HashSet<String>,
    /// Remote recipients of acknowledged submissions.
    queued: HashSet<String>,
}

/// How a message is given to the server, and where it must then be.
#[derive(Debug, Clone, Copy)]
enum Way {
    /// Port 25, to alice.
    Exchange,
    /// Submission by carol: to alice, and to somebody in the world.
    Submission,
    /// IMAP APPEND into alice's Archive.
    Append,
}

#[test]
fn what_was_acknowledged_survives_the_kill_of_every_round_once_and_byte_for_byte() {
    let seed = std::env::var("KILL9_SEED").ok().and_then(|s| s.parse().ok()).unwrap_or_else(rand::random);
    println!("KILL9_SEED={seed} repeats the same moments");
    let mut random = StdRng::seed_from_u64(seed);
    let mut served = Served::prepare(MAILSTEAD, None, DNS_DOWN);
    let (ledger, counter, began) = (Mutex::new(Ledger::default()), AtomicU64::new(0), Instant::now());
    let mut seen = Seen::default();
    let mut rounds = 0;
    while rounds < ROUNDS {
        served.start();
        let moment = Duration::from_millis(random.random_range(30..900));
        load_until_killed(&mut served, &ledger, &counter, moment);
        served.start();
        seen.look(&served, &ledger.lock().unwrap());
        served.kill();
        rounds += 1;
        assert!(began.elapsed() < ENOUGH || rounds >= ROUNDS, "only {rounds} rounds in {:?}", began.elapsed());
    }
    let ledger = ledger.into_inner().unwrap();
    println!(
        "{rounds} rounds, {} begun, {} acknowledged, {:?}",
        ledger.sent.len(),
        ledger.acknowledged.len(),
        began.elapsed()
    );
    assert!(ledger.acknowledged.len() > ROUNDS * 5, "too little load: {} acknowledged", ledger.acknowledged.len());
    // And all of it, once more, from the first to the last, after a stop in peace.
    served.start();
    served.stop();
    served.start();
    Seen::default().look(&served, &ledger);
}

/// Several clients of each kind give messages until the server is gone.
fn load_until_killed(served: &mut Served, ledger: &Mutex<Ledger>, counter: &AtomicU64, moment: Duration) {
    let over = AtomicBool::new(false);
    let mut process = served.process.take().expect("it runs");
    let served = &*served;
    std::thread::scope(|scope| {
        for way in [Way::Exchange, Way::Exchange, Way::Exchange, Way::Submission, Way::Submission, Way::Append] {
            let over = &over;
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    // The connection breaks when the server is killed; that is what this is about.
                    let _ = give_messages(served, way, ledger, counter, over);
                }
            });
        }
        std::thread::sleep(moment);
        over.store(true, Ordering::Relaxed);
        process.kill();
    });
}

fn give_messages(
    served: &Served,
    way: Way,
    ledger: &Mutex<Ledger>,
    counter: &AtomicU64,
    over: &AtomicBool,
) -> io::Result<()> {
    let next = |way: Way| {
        let number = counter.fetch_add(1, Ordering::Relaxed);
        let from = if matches!(way, Way::Submission) { "carol@kept.test" } else { "sender@other.test" };
        let subject = format!("kept {number}");
        let bytes = Letter::new(from, "alice@kept.test", &subject)
            .filled(200 + (number as usize * 7_919) % 20_000, number)
            .bytes();
        ledger.lock().unwrap().sent.insert(subject.clone(), bytes.clone());
        (subject, bytes, format!("friend{number}@away.test"))
    };
    let acknowledge = |subject: String, remote: Option<String>| {
        let mut ledger = ledger.lock().unwrap();
        ledger.acknowledged.insert(subject);
        ledger.queued.extend(remote);
    };
    match way {
        Way::Append => {
            let mut imap = served.try_imap("alice")?;
            while !over.load(Ordering::Relaxed) {
                let (subject, bytes, _) = next(way);
                if imap.try_append("Archive", "\\Seen", &bytes)?.status == "OK" {
                    acknowledge(subject, None);
                }
            }
        }
        Way::Exchange => {
            let mut smtp = served.try_exchange()?;
            while !over.load(Ordering::Relaxed) {
                let (subject, bytes, _) = next(way);
                if smtp.try_send("sender@other.test", &["alice@kept.test"], &bytes)?.code == 250 {
                    acknowledge(subject, None);
                }
            }
        }
        Way::Submission => {
            let mut smtp = served.try_submission("carol")?;
            while !over.load(Ordering::Relaxed) {
                let (subject, bytes, remote) = next(way);
                if smtp.try_send("carol@kept.test", &["alice@kept.test", &remote], &bytes)?.code == 250 {
                    acknowledge(subject, Some(remote));
                }
            }
        }
    }
    Ok(())
}

/// What was found so far, so that each round reads only what is new.
#[derive(Debug, Default)]
struct Seen {
    next_uid: HashMap<&'static str, u32>,
    subjects: HashSet<String>,
}

impl Seen {
    #[track_caller]
    fn look(&mut self, served: &Served, ledger: &Ledger) {
        let mut imap = served.imap("alice");
        for mailbox in ["INBOX", "Archive"] {
            imap.ok(&format!("SELECT {mailbox}"));
            let next = self.next_uid.get(mailbox).copied().unwrap_or(1);
            let answer = imap.ok(&format!("UID FETCH {next}:* (UID BODY.PEEK[])"));
            for response in answer.with(" FETCH (") {
                let uid = uid(&response.text);
                // `*` names the last message even when it is below the range.
                if uid >= next {
                    self.next_uid.insert(mailbox, uid + 1);
                    self.found(&response.literals[0], ledger);
                }
            }
        }
        for subject in &ledger.acknowledged {
            assert!(self.subjects.contains(subject), "{subject:?} was acknowledged and is gone");
        }
        let queue = served.queue().to_string();
        for recipient in &ledger.queued {
            let times = queue.matches(&format!("\"{recipient}\"")).count();
            assert_eq!(times, 1, "{recipient} was acknowledged and stands {times} times in the queue");
        }
    }

    #[track_caller]
    fn found(&mut self, stored: &[u8], ledger: &Ledger) {
        let subject = header(stored, "Subject").unwrap_or_default();
        assert!(self.subjects.insert(subject.clone()), "{subject:?} is there twice");
        let sent = ledger.sent.get(&subject).unwrap_or_else(|| panic!("{subject:?} was never sent"));
        assert!(stored.ends_with(sent), "{subject:?} is not what was sent:\n{}", String::from_utf8_lossy(stored));
    }
}

fn uid(response: &str) -> u32 {
    let behind = response.split("UID ").nth(1).expect("a UID");
    behind.split([' ', ')']).next().and_then(|number| number.parse().ok()).expect("a number")
}
