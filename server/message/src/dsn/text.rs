//! What a notification says to people: who, why, and what they can do.

use std::fmt::Write as _;

use super::{Action, Recipient, Report};
use crate::header::{self, date};

/// Columns of the text.
const WIDTH: usize = 76;
/// Characters of the original's subject that are repeated.
const MAX_SUBJECT: usize = 120;
/// Characters of an explanation that are repeated: some servers answer in essays.
const MAX_EXPLANATION: usize = 2_000;

pub(super) fn subject(action: Action) -> &'static str {
    match action {
        Action::Failed => "Your message could not be delivered",
        Action::Delayed => "Your message is delayed",
        Action::Relayed => "Your message was handed on",
        Action::Expanded => "Your message was passed to a list",
        Action::Delivered => "Your message was delivered",
    }
}

/// The text with LF line ends.
pub(super) fn compose(report: &Report<'_>) -> String {
    let mut text = format!("This is the mail server {}.\n\nIt is about your message\n\n", report.hostname);
    let title: String =
        header::value(report.original, "Subject").unwrap_or_default().chars().take(MAX_SUBJECT).collect();
    let title = if title.trim().is_empty() { "(no subject)".to_owned() } else { title };
    let _ = writeln!(text, "{}    of {}", wrap(&title, "    "), date(report.arrived));
    for action in [Action::Failed, Action::Delayed, Action::Relayed, Action::Expanded, Action::Delivered] {
        let recipients: Vec<_> = report.recipients.iter().filter(|recipient| recipient.action == action).collect();
        if !recipients.is_empty() {
            section(action, &recipients, &mut text);
        }
    }
    text.push_str(if report.returns_all() {
        "\nYour message is attached.\n"
    } else {
        "\nThe header of your message is attached, so that you can tell which one it was.\n"
    });
    text
}

fn section(action: Action, recipients: &[&Recipient<'_>], text: &mut String) {
    let _ = write!(text, "\n{}\n", heading(action));
    for recipient in recipients {
        let _ = write!(text, "\n    {}\n", recipient.address.to_unicode());
        let explanation: String = recipient.explanation.chars().take(MAX_EXPLANATION).collect();
        text.push_str(&wrap(&explanation, "        "));
        if let Some(advice) = advice(action, recipient.status) {
            text.push_str(&wrap(advice, "        "));
        }
    }
    match action {
        Action::Failed => text.push_str("\nThere will be no further tries.\n"),
        Action::Delayed => {
            text.push_str("\nYou need not do anything. It will be tried again");
            match recipients.iter().filter_map(|recipient| recipient.retry_until).max() {
                Some(until) => {
                    let _ = write!(text, " until\n{},\nand you will be told if it fails for good.\n", date(until));
                }
                None => text.push_str(", and you will be\ntold if it fails for good.\n"),
            }
        }
        Action::Relayed => text.push_str("\nWhether it arrived there is not known.\n"),
        Action::Expanded | Action::Delivered => {}
    }
}

fn heading(action: Action) -> &'static str {
    match action {
        Action::Failed => "It could not be delivered to",
        Action::Delayed => "It has not been delivered yet to",
        Action::Relayed => "It was handed to a server that sends no receipts of its own, for",
        Action::Expanded => "It was passed on to everyone behind",
        Action::Delivered => "It is in the mailbox of",
    }
}

/// What the sender can do, by the status code (RFC 3463).
fn advice(action: Action, status: (u8, u16, u16)) -> Option<&'static str> {
    if action != Action::Failed {
        return None;
    }
    Some(match status {
        (_, 1, 1..=3 | 6) => "Please check the address for a slip of the pen, or ask the person for the right one.",
        (_, 1, 10) => "The domain accepts no mail. Please ask the person for another address.",
        (_, 2, 2) => "The mailbox is full. Please try again later, or tell the person in another way.",
        (_, 2, 1) => "The mailbox is not in use at present. Please tell the person in another way.",
        (_, 2, 3) | (_, 3, 4) => "The message is too large. Please send less at a time, or a link to it.",
        (_, 6, 7) => "Their server can't take addresses with such letters. Please ask for another address.",
        (_, 7, _) => {
            "Their server did not want the message; its words say why. Your mail server's keeper may know more."
        }
        (_, 4, 6) => "The message went in a circle. Please show this to your mail server's keeper.",
        (4, ..) | (_, 4, _) => "Their server could not be reached for too long. Please try again another day.",
        _ => return None,
    })
}

/// Indented lines of moderate length, each ended; words longer than a line are cut, control characters are blanks.
pub(super) fn wrap(text: &str, indent: &str) -> String {
    let width = WIDTH - indent.len().min(WIDTH / 2);
    let mut lines = String::new();
    let mut column = 0;
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        let mut rest = word;
        while !rest.is_empty() {
            let length = rest.char_indices().nth(width).map_or(rest.len(), |(at, _)| at);
            let (piece, after) = rest.split_at_checked(length).unwrap_or((rest, ""));
            let columns = piece.chars().count();
            if column > 0 && column + 1 + columns > width {
                lines.push('\n');
                column = 0;
            }
            lines.push_str(if column == 0 { indent } else { " " });
            lines.push_str(piece);
            column += columns + usize::from(column > 0);
            rest = after;
        }
    }
    if column > 0 {
        lines.push('\n');
    }
    lines
}
