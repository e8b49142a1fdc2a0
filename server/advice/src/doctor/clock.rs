//! Is the clock right?

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;
use jiff::SignedDuration;

use super::finding::{Finding, Subject};
use super::host::Host;
use super::{Patient, outgoing, words};

pub(super) const SUBJECT: Subject = Subject {
    id: "clock",
    title: "The clock",
    why: "With a wrong clock letters carry wrong dates, signatures are not believed, and no certificate is issued.",
};

const NTP: u16 = 123;
/// Nobody minds that much.
const UNNOTICED: SignedDuration = SignedDuration::from_secs(10);
/// Others allow some minutes for DKIM's and ACME's times, seldom more.
const TOLERATED: SignedDuration = SignedDuration::from_mins(5);

pub(super) async fn look(patient: &Patient, host: &dyn Host) -> Vec<Finding> {
    let servers = &patient.probes.time_servers;
    if servers.is_empty() {
        return Vec::new();
    }
    let asked = servers.iter().map(|server| async move {
        let address = outgoing::addresses(patient, server, NTP).await.into_iter().next()?;
        host.behind(address).await.ok()
    });
    let mut answers: FuturesUnordered<_> = asked.collect();
    while let Some(answer) = answers.next().await {
        if let Some(behind) = answer {
            return vec![judge(behind)];
        }
    }
    vec![SUBJECT.unknown("No time server answers, so it can't be told whether the clock is right.")]
}

fn judge(behind: SignedDuration) -> Finding {
    let off = behind.abs();
    if off < UNNOTICED {
        return SUBJECT.good("The clock is right.");
    }
    let what = format!("The clock is {} {}.", words::span(off), if behind.is_positive() { "slow" } else { "fast" });
    let wrong = if off < TOLERATED { SUBJECT.warning(what) } else { SUBJECT.bad(what) };
    wrong.todo("Let the system set its clock by itself.").command("sudo timedatectl set-ntp true")
}
