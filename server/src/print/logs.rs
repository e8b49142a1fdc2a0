//! Log lines, for people.

use mailstead_web::logs::{LogLine, Severity};

use super::printable;

/// Oldest first, as a terminal is read.
pub(super) fn lines(list: &[LogLine]) -> String {
    if list.is_empty() {
        return "Nothing that fits has been logged since the server started.".to_owned();
    }
    let line = |line: &LogLine| {
        let word = match line.severity {
            Severity::Error => "ERROR",
            Severity::Warn => "WARN ",
            Severity::Info => "INFO ",
            Severity::Debug => "DEBUG",
        };
        format!("{} {word} {}: {}\n", line.at, line.room, printable(&line.text))
    };
    list.iter().rev().map(line).collect()
}
