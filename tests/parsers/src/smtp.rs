//! SMTP's command lines.

use mailstead_message::xtext;
use mailstead_smtp::server::{MailFrom, NotifyParam};
use mailstead_smtp::wire::{Command, CommandError, ForwardPath, parse_command};

use crate::assert_harmless;

/// A reply line, with its CRLF (RFC 5321 4.5.3.1.5).
const MAX_REPLY: usize = 512;
/// An encoded ORCPT (RFC 3461 4.2).
const MAX_ORCPT: usize = 500;

/// Takes a command line without its CRLF.
pub fn smtp_command(line: &[u8]) {
    match parse_command(line) {
        Ok(command) => {
            assert!(!line.iter().any(u8::is_ascii_control), "a control character got through");
            assert_sound(&command);
            if let Some(printed) = print(&command) {
                assert_eq!(parse_command(printed.as_bytes()).as_ref(), Ok(&command), "printed as {printed:?}");
            }
        }
        Err(error) => assert_refusal(&error),
    }
}

fn assert_sound(command: &Command<'_>) {
    match command {
        Command::Ehlo(name) | Command::Helo(name) => {
            assert!(name.is_ascii() && !name.is_empty() && !name.contains([' ', '(', ')', '<', '>']), "{name:?}");
        }
        Command::Mail(from) => {
            from.reverse_path.iter().for_each(|address| assert_harmless(&address.to_string()));
            from.envid.iter().for_each(|id| assert_harmless(id));
        }
        Command::Rcpt { to, orcpt, notify, .. } => {
            if let ForwardPath::Mailbox(address) = to {
                assert_harmless(&address.to_string());
            }
            if let Some((kind, address)) = orcpt {
                assert!(kind.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-'), "{kind:?}");
                assert_harmless(address);
            }
            if let Some(notify) = notify {
                assert!(notify.never != (notify.success || notify.failure || notify.delay), "{notify:?}");
            }
        }
        _ => {}
    }
}

fn assert_refusal(error: &CommandError) {
    let reply = error.reply();
    assert!(reply.is_permanent() && reply.status.is_some_and(|(class, ..)| class == 5), "{reply:?}");
    let mut wire = Vec::new();
    reply.write_to(&mut wire);
    let text = wire.strip_suffix(b"\r\n").unwrap();
    assert!(wire.len() <= MAX_REPLY && text.iter().all(|byte| (b' '..=b'~').contains(byte)), "{reply:?}");
}

/// The command in its plainest form; `None` for what has no arguments that matter.
fn print(command: &Command<'_>) -> Option<String> {
    Some(match command {
        Command::Ehlo(name) => format!("EHLO {name}"),
        Command::Helo(name) => format!("HELO {name}"),
        Command::Mail(from) => print_mail(from),
        Command::Rcpt { to, notify, orcpt, utf8 } => {
            let printed = print_rcpt(to, *notify, orcpt.as_ref())?;
            // Where only the domain had other characters, the printed line is all ASCII.
            return (printed.is_ascii() != *utf8).then_some(printed);
        }
        Command::Bdat { octets, last } => format!("BDAT {octets}{}", if *last { " LAST" } else { "" }),
        Command::Auth { mechanism, initial } => {
            let name = mechanism.name();
            initial.map_or_else(|| format!("AUTH {name}"), |initial| format!("AUTH {name} {initial}"))
        }
        _ => return None,
    })
}

fn print_mail(from: &MailFrom) -> String {
    let path = from.reverse_path.as_ref().map(ToString::to_string).unwrap_or_default();
    let mut line = format!("MAIL FROM:<{path}>");
    if let Some(size) = from.size {
        line += &format!(" SIZE={size}");
    }
    if from.eight_bit {
        line += " BODY=8BITMIME";
    }
    if from.smtputf8 {
        line += " SMTPUTF8";
    }
    if let Some(full) = from.ret_full {
        line += if full { " RET=FULL" } else { " RET=HDRS" };
    }
    if let Some(id) = from.envid.as_deref().map(xtext::encode) {
        line += &format!(" ENVID={id}");
    }
    line
}

/// `None` when ORCPT does not fit any more: what was written as it is may be encoded here.
fn print_rcpt(to: &ForwardPath, notify: Option<NotifyParam>, orcpt: Option<&(String, String)>) -> Option<String> {
    let mut line = match to {
        ForwardPath::Postmaster => "RCPT TO:<Postmaster>".to_owned(),
        ForwardPath::Mailbox(address) => format!("RCPT TO:<{address}>"),
    };
    if let Some(notify) = notify {
        let words = [
            (notify.never, "NEVER"),
            (notify.success, "SUCCESS"),
            (notify.failure, "FAILURE"),
            (notify.delay, "DELAY"),
        ];
        let said: Vec<&str> = words.iter().filter(|(said, _)| *said).map(|(_, word)| *word).collect();
        line += &format!(" NOTIFY={}", said.join(","));
    }
    if let Some((kind, address)) = orcpt {
        let utf8 = kind == "utf-8";
        let address = if utf8 { xtext::encode_utf8_address(address, true) } else { xtext::encode(address) };
        let orcpt = format!("{kind};{address}");
        if orcpt.len() > MAX_ORCPT {
            return None;
        }
        line += &format!(" ORCPT={orcpt}");
    }
    Some(line)
}
