//! Command lines (RFC 5321 4.1.1 and the extensions').

use mailstead_message::{Address, AddressError};
use mailstead_net::sasl::Mechanism;

use super::parameters;
use super::path::{self, Path, PathError};
use crate::Reply;
use crate::server::{MailFrom, NotifyParam};

/// A name in EHLO or HELO is at most this long (RFC 5321 4.5.3.1.2).
const MAX_HELLO: usize = 255;

/// One command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    /// `EHLO name`
    Ehlo(&'a str),
    /// `HELO name`
    Helo(&'a str),
    /// `MAIL FROM:<path> …`
    Mail(MailFrom),
    /// `RCPT TO:<path> …`
    Rcpt {
        /// Where to.
        to: ForwardPath,
        /// `NOTIFY`
        notify: Option<NotifyParam>,
        /// `ORCPT`, decoded.
        orcpt: Option<(String, String)>,
        /// Something in the line is not ASCII: allowed only after `MAIL … SMTPUTF8`.
        utf8: bool,
    },
    /// `DATA`
    Data,
    /// `BDAT octets [LAST]` (RFC 3030 2)
    Bdat {
        /// Octets that follow the line.
        octets: u64,
        /// Nothing comes behind this chunk.
        last: bool,
    },
    /// `RSET`
    Rset,
    /// `NOOP [anything]`
    Noop,
    /// `QUIT`
    Quit,
    /// `VRFY anything`
    Vrfy,
    /// `EXPN anything`
    Expn,
    /// `HELP [anything]`
    Help,
    /// `STARTTLS` (RFC 3207)
    StartTls,
    /// `AUTH mechanism [initial-response]` (RFC 4954 4)
    Auth {
        /// How to log in.
        mechanism: Mechanism,
        /// The initial response, in base64 as it came; `=` stands for an empty one.
        initial: Option<&'a str>,
    },
}

/// The recipient in RCPT.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ForwardPath {
    /// `<Postmaster>`: of the house that is spoken to.
    Postmaster,
    /// A mailbox, whatever source route stood before it.
    Mailbox(Address),
}

/// Why a line is not a command.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CommandError {
    /// No such command.
    #[error("there is no such command here")]
    Unknown,
    /// The line is over the limit.
    #[error("the line is too long")]
    LineTooLong,
    /// A bare line feed in the line.
    #[error("a command line ends in CR LF, and neither stands alone")]
    BareLineFeed,
    /// A control character in the line.
    #[error("there is a control character in the line")]
    ControlCharacter,
    /// Not UTF-8.
    #[error("the line is neither ASCII nor UTF-8")]
    NotUtf8,
    /// The command is known, its arguments are wrong.
    #[error("{0}")]
    Syntax(&'static str),
    /// A parameter nobody offered.
    #[error("there is a parameter that is not known here")]
    UnknownParameter,
    /// An AUTH mechanism nobody offered.
    #[error("that mechanism is not offered here, EHLO names those that are")]
    UnknownMechanism,
    /// The sender's address is malformed.
    #[error("sender: {0}")]
    Sender(AddressError),
    /// The recipient's address is malformed.
    #[error("recipient: {0}")]
    Recipient(AddressError),
    /// The sender's address is an address literal.
    #[error("sender: the address needs a domain name")]
    SenderLiteral,
    /// The recipient's address is an address literal.
    #[error("recipient: the address needs a domain name")]
    RecipientLiteral,
    /// An internationalised address without `SMTPUTF8`.
    #[error("an internationalised address needs SMTPUTF8")]
    NeedsSmtpUtf8,
}

impl CommandError {
    /// What to tell the client.
    pub fn reply(&self) -> Reply {
        let (code, status) = match self {
            Self::Unknown => (500, (5, 5, 1)),
            Self::LineTooLong => (500, (5, 5, 2)),
            Self::BareLineFeed | Self::ControlCharacter | Self::NotUtf8 => (501, (5, 5, 2)),
            Self::Syntax(_) => (501, (5, 5, 4)),
            Self::UnknownParameter => (555, (5, 5, 4)),
            Self::UnknownMechanism => (504, (5, 5, 4)),
            Self::Sender(_) => (501, (5, 1, 7)),
            Self::Recipient(_) => (501, (5, 1, 3)),
            Self::SenderLiteral => (553, (5, 1, 7)),
            Self::RecipientLiteral => (550, (5, 1, 2)),
            Self::NeedsSmtpUtf8 => (553, (5, 6, 7)),
        };
        Reply::new(code, status, self.to_string())
    }
}

/// Parses one command line, given without its CRLF.
///
/// # Errors
/// The line is not a command; the session goes on.
pub fn parse_command(line: &[u8]) -> Result<Command<'_>, CommandError> {
    if memchr::memchr(b'\n', line).is_some() {
        return Err(CommandError::BareLineFeed);
    }
    if line.iter().any(|byte| byte.is_ascii_control()) {
        return Err(CommandError::ControlCharacter);
    }
    let line = std::str::from_utf8(line).map_err(|_| CommandError::NotUtf8)?;
    // C1 controls are no better than C0, they only have more bytes.
    if line.chars().any(char::is_control) {
        return Err(CommandError::ControlCharacter);
    }
    let line = line.trim_end_matches(' ');
    let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
    let rest = rest.trim_start_matches(' ');
    match verb.to_ascii_uppercase().as_str() {
        "EHLO" => hello(rest).map(Command::Ehlo),
        "HELO" => hello(rest).map(Command::Helo),
        "MAIL" => mail(rest),
        "RCPT" => rcpt(rest),
        "DATA" => alone(rest, Command::Data),
        "BDAT" => bdat(rest),
        "RSET" => alone(rest, Command::Rset),
        "NOOP" => Ok(Command::Noop),
        "QUIT" => alone(rest, Command::Quit),
        "VRFY" => Ok(Command::Vrfy),
        "EXPN" => Ok(Command::Expn),
        "HELP" => Ok(Command::Help),
        "STARTTLS" => alone(rest, Command::StartTls),
        "AUTH" => auth(rest),
        _ => Err(CommandError::Unknown),
    }
}

fn alone<'a>(rest: &str, command: Command<'a>) -> Result<Command<'a>, CommandError> {
    if rest.is_empty() { Ok(command) } else { Err(CommandError::Syntax("this command stands alone")) }
}

/// A domain or an address literal is wanted, but devices say all sorts of names: taken is whatever can stand in a
/// `Received` field without becoming something else there.
fn hello(name: &str) -> Result<&str, CommandError> {
    let harmless = |byte: u8| byte.is_ascii_graphic() && !b"()<>@,;\\\"".contains(&byte);
    if name.is_empty() || name.len() > MAX_HELLO || !name.bytes().all(harmless) {
        return Err(CommandError::Syntax("say your host name, as in: EHLO mail.example.org"));
    }
    Ok(name)
}

/// What is behind `FROM:` or `TO:`. The space that some programs put behind the colon does no harm.
fn behind<'a>(rest: &'a str, word: &str) -> Option<&'a str> {
    let (start, rest) = rest.split_at_checked(word.len())?;
    start.eq_ignore_ascii_case(word).then(|| rest.trim_start_matches(' '))
}

fn mail(rest: &str) -> Result<Command<'_>, CommandError> {
    const FORM: CommandError = CommandError::Syntax("the form is: MAIL FROM:<name@example.org>");
    let (path, parameters) = path::take(behind(rest, "FROM:").ok_or(FORM)?).map_err(|error| match error {
        PathError::Brackets => FORM,
        PathError::Literal => CommandError::SenderLiteral,
        PathError::Address(error) => CommandError::Sender(error),
    })?;
    let reverse_path = match path {
        Path::Null => None,
        Path::Mailbox(address) => Some(address),
        Path::Postmaster => return Err(CommandError::Sender(AddressError::Shape)),
    };
    let mut from = MailFrom { reverse_path, ..MailFrom::default() };
    parameters::mail(parameters, &mut from)?;
    if !rest.is_ascii() && !from.smtputf8 {
        return Err(CommandError::NeedsSmtpUtf8);
    }
    Ok(Command::Mail(from))
}

fn rcpt(rest: &str) -> Result<Command<'_>, CommandError> {
    const FORM: CommandError = CommandError::Syntax("the form is: RCPT TO:<name@example.org>");
    let (path, parameters) = path::take(behind(rest, "TO:").ok_or(FORM)?).map_err(|error| match error {
        PathError::Brackets => FORM,
        PathError::Literal => CommandError::RecipientLiteral,
        PathError::Address(error) => CommandError::Recipient(error),
    })?;
    let to = match path {
        Path::Null => return Err(CommandError::Recipient(AddressError::Shape)),
        Path::Mailbox(address) => ForwardPath::Mailbox(address),
        Path::Postmaster => ForwardPath::Postmaster,
    };
    let parameters = parameters::rcpt(parameters)?;
    Ok(Command::Rcpt { to, notify: parameters.notify, orcpt: parameters.orcpt, utf8: !rest.is_ascii() })
}

fn bdat(rest: &str) -> Result<Command<'_>, CommandError> {
    const FORM: CommandError = CommandError::Syntax("the form is: BDAT octets [LAST]");
    let (octets, last) = match rest.split_once(' ') {
        None => (rest, false),
        Some((octets, word)) if word.trim_start_matches(' ').eq_ignore_ascii_case("LAST") => (octets, true),
        Some(_) => return Err(FORM),
    };
    if octets.is_empty() || !octets.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(FORM);
    }
    // A number beyond all numbers is a chunk beyond all limits.
    Ok(Command::Bdat { octets: octets.parse().unwrap_or(u64::MAX), last })
}

fn auth(rest: &str) -> Result<Command<'_>, CommandError> {
    let (mechanism, initial) = match rest.split_once(' ') {
        Some((mechanism, initial)) => (mechanism, Some(initial.trim_start_matches(' '))),
        None => (rest, None),
    };
    if mechanism.is_empty() {
        return Err(CommandError::Syntax("the form is: AUTH PLAIN, or another mechanism that EHLO names"));
    }
    let mechanism = Mechanism::parse(mechanism).ok_or(CommandError::UnknownMechanism)?;
    Ok(Command::Auth { mechanism, initial })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    fn from(address: &str) -> MailFrom {
        MailFrom { reverse_path: Some(Address::parse(address).unwrap()), ..MailFrom::default() }
    }

    fn to(address: &str) -> Command<'static> {
        let to = ForwardPath::Mailbox(Address::parse(address).unwrap());
        Command::Rcpt { to, notify: None, orcpt: None, utf8: false }
    }

    #[test]
    fn commands_are_understood_in_any_case() {
        for (line, command) in [
            ("EHLO client.test", Command::Ehlo("client.test")),
            ("ehlo [192.0.2.1]", Command::Ehlo("[192.0.2.1]")),
            ("EHLO [IPv6:2001:db8::1] ", Command::Ehlo("[IPv6:2001:db8::1]")),
            ("HELO my_printer", Command::Helo("my_printer")),
            ("MAIL FROM:<>", Command::Mail(MailFrom::default())),
            ("mail from:<bob@world.test>", Command::Mail(from("bob@world.test"))),
            ("MAIL FROM: <bob@world.test>", Command::Mail(from("bob@world.test"))),
            ("MAIL FROM:<bob@world.test> SIZE=5", Command::Mail(MailFrom { size: Some(5), ..from("bob@world.test") })),
            ("RCPT TO:<bob@world.test>", to("bob@world.test")),
            ("RCPT TO:<@relay.test:bob@world.test>", to("bob@world.test")),
            (
                "RCPT TO:<PostMaster>",
                Command::Rcpt { to: ForwardPath::Postmaster, notify: None, orcpt: None, utf8: false },
            ),
            ("DATA", Command::Data),
            ("BDAT 0 last", Command::Bdat { octets: 0, last: true }),
            ("BDAT 86", Command::Bdat { octets: 86, last: false }),
            ("BDAT 99999999999999999999999", Command::Bdat { octets: u64::MAX, last: false }),
            ("rset", Command::Rset),
            ("NOOP whatever this is", Command::Noop),
            ("QUIT  ", Command::Quit),
            ("VRFY bob", Command::Vrfy),
            ("EXPN list", Command::Expn),
            ("HELP me", Command::Help),
            ("STARTTLS", Command::StartTls),
            ("AUTH plain", Command::Auth { mechanism: Mechanism::Plain, initial: None }),
            ("AUTH PLAIN =", Command::Auth { mechanism: Mechanism::Plain, initial: Some("=") }),
            ("AUTH LOGIN Ym9i", Command::Auth { mechanism: Mechanism::Login, initial: Some("Ym9i") }),
        ] {
            assert_eq!(parse_command(line.as_bytes()), Ok(command), "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_refused_with_the_right_code() {
        for (line, code) in [
            ("", 500),
            ("LHLO client.test", 500),
            ("GET / HTTP/1.1", 500),
            ("DATAX", 500),
            ("MAIL FROM:<bob@world.test>\nRCPT TO:<alice@home.test>", 501),
            ("NOOP\n", 501),
            ("NOOP\r", 501),
            ("NOOP \0", 501),
            ("NOOP \u{85}", 501),
            ("EHLO", 501),
            ("EHLO a b", 501),
            ("EHLO bücher.test", 501),
            ("HELO evil(comment)", 501),
            ("HELO evil\u{1b}[2J.test", 501),
            ("MAIL FROM:bob@world.test", 501),
            ("MAIL TO:<bob@world.test>", 501),
            ("MAIL", 501),
            ("MAIL FROM:<bob>", 501),
            ("MAIL FROM:<postmaster>", 501),
            ("MAIL FROM:<bob@world.test>SIZE=1", 501),
            ("MAIL FROM:<bob@[192.0.2.1]>", 553),
            ("MAIL FROM:<bob@world.test> FUTURE=1", 555),
            ("MAIL FROM:<b\u{f6}b@world.test>", 553),
            ("RCPT TO:<>", 501),
            ("RCPT TO:<bob@world.test@home.test>", 501),
            ("RCPT TO:<bob@[192.0.2.1]>", 550),
            ("RCPT TO:<bob@world.test> SIZE=1", 555),
            ("RCPT TO:<bob@world.test\u{0}>", 501),
            ("DATA now", 501),
            ("RSET now", 501),
            ("QUIT now", 501),
            ("STARTTLS now", 501),
            ("BDAT", 501),
            ("BDAT -1", 501),
            ("BDAT 1 FIRST", 501),
            ("BDAT 1 LAST now", 501),
            ("AUTH", 501),
            ("AUTH CRAM-MD5", 504),
        ] {
            let error = parse_command(line.as_bytes()).unwrap_err();
            assert_eq!(error.reply().code, code, "{line:?}: {error}");
        }
        assert_eq!(parse_command(b"NOOP \xff"), Err(CommandError::NotUtf8));
    }

    #[test]
    fn internationalised_addresses_come_with_smtputf8() {
        let Ok(Command::Mail(from)) = parse_command("MAIL FROM:<j\u{f6}rg@world.test> SMTPUTF8".as_bytes()) else {
            panic!("refused");
        };
        assert_eq!(from.reverse_path.unwrap().local().as_str(), "j\u{f6}rg");
        let rcpt = parse_command("RCPT TO:<j\u{f6}rg@world.test>".as_bytes());
        assert!(matches!(rcpt, Ok(Command::Rcpt { utf8: true, .. })));
    }

    fn nearly_a_command() -> impl Strategy<Value = Vec<u8>> {
        let start = prop::sample::select(vec![
            "EHLO ",
            "MAIL FROM:<",
            "RCPT TO:<",
            "MAIL FROM:<a@b.test> ",
            "RCPT TO:<a@b.test> ",
            "BDAT ",
            "AUTH ",
            "",
        ]);
        (
            start,
            prop::collection::vec(prop_oneof![any::<u8>(), prop::sample::select(b"@:<>\"\\+={} .,".to_vec())], 0..80),
        )
            .prop_map(|(start, rest)| [start.as_bytes(), &rest].concat())
    }

    proptest! {
        #[test]
        fn no_line_makes_the_parser_panic_and_no_reply_repeats_control_characters(line in nearly_a_command()) {
            if let Err(error) = parse_command(&line) {
                let mut out = Vec::new();
                error.reply().write_to(&mut out);
                let text = out.strip_suffix(b"\r\n").unwrap();
                prop_assert!(text.iter().all(|byte| matches!(byte, b' '..=b'~')));
            } else {
                prop_assert!(line.iter().all(|byte| !byte.is_ascii_control()));
            }
        }
    }
}
