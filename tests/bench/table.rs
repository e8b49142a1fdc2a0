//! The results, as Markdown.

use std::fmt;
use std::time::Duration;

use crate::contestant::Memory;

/// Messages per second.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rate {
    /// Answered with 250.
    pub(crate) accepted: f64,
    /// In the mailbox.
    pub(crate) delivered: f64,
}

/// Lines of results, in the order measured.
#[derive(Default)]
pub(crate) struct Table {
    lines: Vec<[String; 4]>,
    prices: Vec<[String; 4]>,
}

/// The one in the middle of a sorted list.
pub(crate) fn middle<T>(mut sorted: Vec<T>) -> T {
    sorted.remove((sorted.len() - 1) / 2)
}

impl Table {
    /// Deliveries per second.
    pub(crate) fn rate(&mut self, what: &str, sessions: usize, ours: Rate, theirs: Rate) {
        let ratio = format!("{:.1}×", ours.delivered / theirs.delivered);
        let them = format!("{:.0} ({:.0} queued)", theirs.delivered, theirs.accepted);
        let plural = if sessions == 1 { "session" } else { "sessions" };
        self.line(format!("deliveries/s, {what}, {sessions} {plural}"), format!("{:.0}", ours.delivered), them, ratio);
    }

    /// Deliveries per second with something done to each message and without.
    pub(crate) fn price(&mut self, what: &str, sessions: usize, [with, without]: [Rate; 2]) {
        let plural = if sessions == 1 { "session" } else { "sessions" };
        self.prices.push([
            format!("deliveries/s, {what}, {sessions} {plural}"),
            format!("{:.0}", with.delivered),
            format!("{:.0}", without.delivered),
            format!("{:.2}×", without.delivered / with.delivered),
        ]);
    }

    /// Seconds; less is better.
    pub(crate) fn time(&mut self, what: &str, [ours, theirs]: [Duration; 2]) {
        let ratio = format!("{:.1}×", theirs.as_secs_f64() / ours.as_secs_f64());
        self.line(format!("IMAP, seconds: {what}"), seconds(ours), seconds(theirs), ratio);
    }

    /// Memory.
    pub(crate) fn memory(&mut self, when: &str, memory: &Memory) {
        let show = |kib: u64| format!("{:.0}", kib as f64 / 1024.0);
        let ratio = format!("{:.1}×", memory.theirs as f64 / memory.ours as f64);
        self.line(format!("memory {when}, MiB"), show(memory.ours), show(memory.theirs), ratio);
    }

    /// Time to the first banner.
    pub(crate) fn start_up(&mut self, times: &[Duration]) {
        let mut sorted = times.to_vec();
        sorted.sort();
        self.line(
            "start to first banner, ms".into(),
            format!("{:.0}", middle(sorted).as_secs_f64() * 1e3),
            "–".into(),
            "–".into(),
        );
    }

    /// Milliseconds of a page; less is better.
    pub(crate) fn page(&mut self, what: &str, mut times: Vec<Duration>) {
        times.sort();
        let slowest = times.last().copied().unwrap_or_default();
        let shown = |time: Duration| format!("{:.1}", time.as_secs_f64() * 1e3);
        let (median, slowest) = (shown(middle(times)), shown(slowest));
        self.line(
            format!("{what}, ms at the median (slowest)"),
            format!("{median} ({slowest})"),
            "–".into(),
            "–".into(),
        );
    }

    /// The release binary.
    pub(crate) fn binary_size(&mut self, bytes: u64) {
        self.line("release binary, MB".into(), format!("{:.1}", bytes as f64 / 1e6), "–".into(), "–".into());
    }

    fn line(&mut self, what: String, ours: String, theirs: String, ratio: String) {
        self.lines.push([what, ours, theirs, ratio]);
    }
}

impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "| | Mailstead | Postfix + Dovecot | better by |\n|---|---:|---:|---:|")?;
        self.lines.iter().try_for_each(|line| writeln!(f, "| {} |", line.join(" | ")))?;
        if self.prices.is_empty() {
            return Ok(());
        }
        writeln!(f, "\n| price of | with | without | costs |\n|---|---:|---:|---:|")?;
        self.prices.iter().try_for_each(|line| writeln!(f, "| {} |", line.join(" | ")))
    }
}

fn seconds(time: Duration) -> String {
    format!("{:.3}", time.as_secs_f64())
}
