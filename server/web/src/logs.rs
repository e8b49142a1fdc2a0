//! The latest log lines, kept in memory for whoever looks after the server.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::{Deserialize, Serialize};

/// Lines kept.
const MAX_LINES: usize = 2_000;
/// Bytes of a line's text; the rest is cut off.
const MAX_TEXT: usize = 2_000;

/// How much a line matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// For whoever develops it.
    Debug,
    /// What happens.
    Info,
    /// Something is not as it should be.
    Warn,
    /// Something went wrong.
    Error,
}

/// A line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LogLine {
    /// When, in RFC 3339 and UTC.
    pub at: String,
    /// How much it matters.
    pub severity: Severity,
    /// Which room says it.
    pub room: String,
    /// What, without control characters.
    pub text: String,
}

/// The latest lines of the process, whose log is one, whatever it serves.
pub static RECENT: Recent = Recent { lines: Mutex::new(VecDeque::new()) };

/// Lines, the oldest of which make room.
#[derive(Debug)]
pub struct Recent {
    lines: Mutex<VecDeque<LogLine>>,
}

impl Recent {
    /// Keeps a line. Control characters in it, which only strangers write, are escaped.
    pub fn keep(&self, severity: Severity, room: &str, text: &str) {
        let at = jiff::Timestamp::from_second(jiff::Timestamp::now().as_second()).unwrap_or_default();
        let line = LogLine { at: at.to_string(), severity, room: room.to_owned(), text: escaped(text) };
        let mut lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        while lines.len() >= MAX_LINES {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// Nothing has been logged in this process.
    pub fn is_empty(&self) -> bool {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// The latest lines that matter at least so much and contain a text, whatever its case; newest first.
    pub fn lines(&self, least: Severity, containing: &str, limit: usize) -> Vec<LogLine> {
        let wanted = containing.to_lowercase();
        let lines = self.lines.lock().unwrap_or_else(PoisonError::into_inner);
        let fits = |line: &&LogLine| {
            line.severity >= least
                && (wanted.is_empty()
                    || line.text.to_lowercase().contains(&wanted)
                    || line.room.to_lowercase().contains(&wanted))
        };
        lines.iter().rev().filter(fits).take(limit).cloned().collect()
    }
}

fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len().min(MAX_TEXT));
    for character in text.chars() {
        if shown.len() >= MAX_TEXT {
            shown.push('…');
            break;
        }
        // What turns the direction of writing can make a line say what it does not.
        let turns = matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
        match character.is_control() || turns {
            true => shown.extend(character.escape_default()),
            false => shown.push(character),
        }
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recent() -> Recent {
        Recent { lines: Mutex::new(VecDeque::new()) }
    }

    #[test]
    fn the_oldest_lines_make_room() {
        let recent = recent();
        for number in 0..MAX_LINES + 10 {
            recent.keep(Severity::Info, "smtp", &number.to_string());
        }
        let lines = recent.lines(Severity::Debug, "", usize::MAX);
        assert_eq!(lines.len(), MAX_LINES);
        assert_eq!(lines.first().map(|line| line.text.as_str()), Some("2009"));
        assert_eq!(lines.last().map(|line| line.text.as_str()), Some("10"));
    }

    #[test]
    fn lines_are_chosen_by_what_they_matter_and_say() {
        let recent = recent();
        recent.keep(Severity::Info, "smtp", "connection from 192.0.2.1");
        recent.keep(Severity::Error, "store", "the Disk is full");
        let texts = |least, containing| -> Vec<String> {
            recent.lines(least, containing, 10).into_iter().map(|line| line.text).collect()
        };
        assert_eq!(texts(Severity::Debug, "").len(), 2);
        assert_eq!(texts(Severity::Warn, ""), ["the Disk is full"]);
        assert_eq!(texts(Severity::Debug, "dISK"), ["the Disk is full"]);
        assert_eq!(texts(Severity::Debug, "SMTP"), ["connection from 192.0.2.1"]);
    }

    #[test]
    fn a_stranger_can_neither_begin_a_line_of_his_own_nor_fill_the_memory() {
        let recent = recent();
        recent.keep(Severity::Info, "smtp", "said \r\n2026 ERROR all is lost \u{1b}[2J\u{202e}txt");
        recent.keep(Severity::Info, "smtp", &"ü".repeat(1 << 20));
        let lines = recent.lines(Severity::Debug, "", 10);
        assert!(lines[0].text.len() < MAX_TEXT + 10);
        assert_eq!(lines[1].text, "said \\r\\n2026 ERROR all is lost \\u{1b}[2J\\u{202e}txt");
    }
}
