//! Command lines (RFC 1939 9, RFC 2449 4, RFC 5034 4, RFC 6856).

/// A command with its arguments, borrowed from its line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// `CAPA`
    Capa,
    /// `STLS`
    Stls,
    /// `UTF8`
    Utf8,
    /// `LANG`, with a language range or to list the languages
    Lang(Option<&'a str>),
    /// `USER name`
    User(&'a str),
    /// `PASS string`
    Pass(&'a str),
    /// `AUTH mechanism [initial-response]`
    Auth {
        /// How to log in.
        mechanism: &'a str,
        /// In base64, as it came.
        initial: Option<&'a str>,
    },
    /// `STAT`
    Stat,
    /// `LIST [msg]`
    List(Option<Number>),
    /// `UIDL [msg]`
    Uidl(Option<Number>),
    /// `RETR msg`
    Retr(Number),
    /// `TOP msg n`
    Top {
        /// Of the message.
        number: Number,
        /// Of its body.
        lines: u64,
    },
    /// `DELE msg`
    Dele(Number),
    /// `NOOP`
    Noop,
    /// `RSET`
    Rset,
    /// `QUIT`
    Quit,
}

/// A message number as the client said it; 0 and numbers beyond the last message name no message.
pub type Number = u32;

/// Why a line is not a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No such command.
    #[error("this is not a command of this server")]
    Unknown,
    /// Wrong arguments.
    #[error("say it as: {0}")]
    Arguments(&'static str),
    /// A control character, or not UTF-8.
    #[error("commands are UTF-8 without control characters")]
    Text,
    /// Longer than a line may be.
    #[error("the line is too long")]
    TooLong,
}

/// Reads a command line, its line end taken off.
///
/// # Errors
/// It is not a command; nothing of it has been carried out.
pub fn parse(line: &[u8]) -> Result<Command<'_>, CommandError> {
    let line = std::str::from_utf8(line).map_err(|_| CommandError::Text)?;
    if line.chars().any(char::is_control) {
        return Err(CommandError::Text);
    }
    let (keyword, rest) = line.split_once(' ').unwrap_or((line, ""));
    match keyword.to_ascii_uppercase().as_str() {
        "CAPA" => alone(rest, Command::Capa, "CAPA"),
        "STLS" => alone(rest, Command::Stls, "STLS"),
        "UTF8" => alone(rest, Command::Utf8, "UTF8"),
        "STAT" => alone(rest, Command::Stat, "STAT"),
        "NOOP" => alone(rest, Command::Noop, "NOOP"),
        "RSET" => alone(rest, Command::Rset, "RSET"),
        "QUIT" => alone(rest, Command::Quit, "QUIT"),
        "LANG" => match words(rest) {
            [None, None, None] => Ok(Command::Lang(None)),
            [range, None, None] => Ok(Command::Lang(range)),
            _ => Err(CommandError::Arguments("LANG [language]")),
        },
        "USER" => match rest.trim() {
            "" => Err(CommandError::Arguments("USER name")),
            name => Ok(Command::User(name)),
        },
        // All that follows the one space is the password, further spaces included (RFC 1939 7).
        "PASS" => Ok(Command::Pass(rest)),
        "AUTH" => match words(rest) {
            [Some(mechanism), initial, None] => Ok(Command::Auth { mechanism, initial }),
            _ => Err(CommandError::Arguments("AUTH mechanism [initial-response]")),
        },
        "LIST" => maybe_number(rest).map(Command::List).ok_or(CommandError::Arguments("LIST [message]")),
        "UIDL" => maybe_number(rest).map(Command::Uidl).ok_or(CommandError::Arguments("UIDL [message]")),
        "RETR" => one_number(rest).map(Command::Retr).ok_or(CommandError::Arguments("RETR message")),
        "DELE" => one_number(rest).map(Command::Dele).ok_or(CommandError::Arguments("DELE message")),
        "TOP" => top(rest).ok_or(CommandError::Arguments("TOP message lines")),
        _ => Err(CommandError::Unknown),
    }
}

fn alone<'a>(rest: &str, command: Command<'a>, usage: &'static str) -> Result<Command<'a>, CommandError> {
    if rest.trim().is_empty() { Ok(command) } else { Err(CommandError::Arguments(usage)) }
}

/// The first three words; the third is there only to be refused.
fn words(rest: &str) -> [Option<&str>; 3] {
    let mut words = rest.split_ascii_whitespace();
    [words.next(), words.next(), words.next()]
}

fn maybe_number(rest: &str) -> Option<Option<Number>> {
    if rest.trim().is_empty() { Some(None) } else { one_number(rest).map(Some) }
}

fn one_number(rest: &str) -> Option<Number> {
    match words(rest) {
        [Some(number), None, None] => digits(number),
        _ => None,
    }
}

fn top(rest: &str) -> Option<Command<'_>> {
    match words(rest) {
        [Some(number), Some(lines), None] => Some(Command::Top { number: digits(number)?, lines: digits(lines)? }),
        _ => None,
    }
}

/// `parse` alone would take a sign.
fn digits<N: std::str::FromStr>(word: &str) -> Option<N> {
    word.bytes().all(|byte| byte.is_ascii_digit()).then(|| word.parse().ok())?
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn commands_are_read_in_any_case() {
        for (line, command) in [
            ("CAPA", Command::Capa),
            ("quit", Command::Quit),
            ("Stat ", Command::Stat),
            ("LIST", Command::List(None)),
            ("list 12", Command::List(Some(12))),
            ("UIDL 0", Command::Uidl(Some(0))),
            ("RETR  007", Command::Retr(7)),
            ("TOP 1 0", Command::Top { number: 1, lines: 0 }),
            ("TOP 1 18446744073709551615", Command::Top { number: 1, lines: u64::MAX }),
            ("USER alice@home.test", Command::User("alice@home.test")),
            ("USER jörg@home.test ", Command::User("jörg@home.test")),
            ("PASS  two words ", Command::Pass(" two words ")),
            ("PASS", Command::Pass("")),
            ("AUTH PLAIN", Command::Auth { mechanism: "PLAIN", initial: None }),
            ("auth plain AGE=", Command::Auth { mechanism: "plain", initial: Some("AGE=") }),
            ("LANG", Command::Lang(None)),
            ("LANG *", Command::Lang(Some("*"))),
        ] {
            assert_eq!(parse(line.as_bytes()), Ok(command), "{line}");
        }
    }

    #[test]
    fn what_is_no_command_is_refused() {
        for line in ["", " ", "XYZZY", "APOP a b", "STA", "STATS", " STAT", "ＳＴＡＴ"] {
            assert_eq!(parse(line.as_bytes()), Err(CommandError::Unknown), "{line}");
        }
        for line in ["ret\0r 1", "RETR 1\t", "PASS a\rb", "USER a\u{85}b"] {
            assert_eq!(parse(line.as_bytes()), Err(CommandError::Text), "{line}");
        }
        assert_eq!(parse(b"PASS \xff"), Err(CommandError::Text));
    }

    #[test]
    fn wrong_arguments_are_refused() {
        for line in [
            "RETR",
            "RETR -1",
            "RETR +1",
            "RETR 1 1",
            "RETR a",
            "RETR 4294967296",
            "RETR 18446744073709551617",
            "RETR １",
            "TOP 1",
            "TOP 1 -1",
            "TOP 1 99999999999999999999",
            "TOP 1 1 1",
            "DELE",
            "LIST x",
            "UIDL 1 2",
            "STAT 1",
            "QUIT now",
            "USER",
            "USER  ",
            "AUTH",
            "AUTH PLAIN a b",
            "LANG a b",
        ] {
            assert!(matches!(parse(line.as_bytes()), Err(CommandError::Arguments(_))), "{line}");
        }
    }
}
