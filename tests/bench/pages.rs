//! How long the operator's overview takes while strangers deliver.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use mailstead_tests::{Demo, Http, Letter, Smtp, Wire};

use crate::Wish;
use crate::table::Table;

/// Sessions that deliver meanwhile.
const SESSIONS: u64 = 64;
/// The page is asked for so often, each time after a pause as a hurried person would make.
const LOOKS: usize = 40;
const PAUSE: Duration = Duration::from_millis(50);
/// Bytes of a message.
const SIZE: usize = 10_000;

/// Measures it, in a demo with the checks of every letter.
pub(crate) fn measure(binary: &Path, wish: &Wish, table: &mut Table) {
    let demo = Demo::start(binary.to_str().expect("a path in UTF-8"), &["--seed", "200"]);
    let operator = demo.home().operator.clone();
    let mut web = demo.web("home.test");
    web.sign_in(&operator.address, &operator.password);
    table.page("the overview, nothing else going on", look(&mut web, wish.turns));
    let (over, taken) = (AtomicBool::new(false), AtomicU64::new(0));
    let times = std::thread::scope(|scope| {
        for session in 0..SESSIONS {
            let (demo, over, taken) = (&demo, &over, &taken);
            scope.spawn(move || deliver(demo, session, over, taken));
        }
        let times = look(&mut web, wish.turns);
        over.store(true, Ordering::Relaxed);
        times
    });
    eprintln!("{} letters came while the overview was looked at", taken.load(Ordering::Relaxed));
    table.page(&format!("the overview while {SESSIONS} sessions deliver"), times);
}

fn look(web: &mut Http, turns: usize) -> Vec<Duration> {
    let looks = (0..LOOKS * turns).map(|_| {
        std::thread::sleep(PAUSE);
        let start = Instant::now();
        let answer = web.get("/");
        let took = start.elapsed();
        assert_eq!(answer.status, 200, "{}", answer.text());
        took
    });
    looks.collect()
}

/// Delivers one letter after the other, 50 a session, until it is over.
fn deliver(demo: &Demo, session: u64, over: &AtomicBool, taken: &AtomicU64) {
    let (from, to) = ("someone@else.test", "alice@home.test");
    // Each is another stranger, so that no limit of one address holds.
    let address = Ipv4Addr::new(127, 0, 1, session as u8 + 1);
    while !over.load(Ordering::Relaxed) {
        let mut smtp = Smtp::new(Wire::connect_from(address, demo.home().ports.smtp).expect("a connection"));
        smtp.hello("client.test");
        for number in 0..50 {
            let letter =
                Letter::new(from, to, &format!("letter {session} {number}")).filled(SIZE, session << 8 | number);
            let reply = smtp.try_send(from, &[to], &letter.bytes()).expect("a reply");
            assert_eq!(reply.code, 250, "{reply}");
            taken.fetch_add(1, Ordering::Relaxed);
            if over.load(Ordering::Relaxed) {
                break;
            }
        }
        smtp.quit();
    }
}
