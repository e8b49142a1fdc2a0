//! POP3's command lines.

use mailstead_pop3::command::{Command, parse};

use crate::assert_harmless;

/// Takes a command line without its end.
pub fn pop3_command(line: &[u8]) {
    match parse(line) {
        Ok(command) => {
            assert_harmless(std::str::from_utf8(line).unwrap());
            if let Some(printed) = print(&command) {
                assert_eq!(parse(printed.as_bytes()), Ok(command), "printed as {printed:?}");
            }
        }
        Err(error) => assert_harmless(&error.to_string()),
    }
}

/// The command in its plainest form; `None` for what has no arguments.
fn print(command: &Command<'_>) -> Option<String> {
    let with = |word: &str, argument: Option<String>| match argument {
        Some(argument) => format!("{word} {argument}"),
        None => word.to_owned(),
    };
    Some(match command {
        Command::Lang(language) => with("LANG", language.map(str::to_owned)),
        Command::User(name) => format!("USER {name}"),
        Command::Pass(password) => format!("PASS {password}"),
        Command::Auth { mechanism, initial } => with(&format!("AUTH {mechanism}"), initial.map(str::to_owned)),
        Command::List(number) => with("LIST", number.map(|number| number.to_string())),
        Command::Uidl(number) => with("UIDL", number.map(|number| number.to_string())),
        Command::Retr(number) => format!("RETR {number}"),
        Command::Dele(number) => format!("DELE {number}"),
        Command::Top { number, lines } => format!("TOP {number} {lines}"),
        _ => return None,
    })
}
