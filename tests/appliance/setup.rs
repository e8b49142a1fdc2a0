//! Setting a server up, on a terminal and by a link.

use mailstead_tests::served::{HOST, Served};
use mailstead_tests::{Imap, Wire};

use crate::MAILSTEAD;

fn served() -> Served {
    let served = Served::prepare(MAILSTEAD, None, "");
    served.unname();
    served
}

/// What stands behind these words up to the end of its line.
fn behind<'t>(text: &'t str, words: &str) -> &'t str {
    let (_, rest) = text.split_once(words).unwrap_or_else(|| panic!("{words:?} is not in: {text}"));
    rest.lines().next().unwrap_or_default().trim()
}

#[test]
fn a_running_server_takes_its_name_and_its_operator_from_the_set_up() {
    let mut served = served();
    served.start();
    let unfinished = served.command().arg("setup").input("no-name\nmail.chosen.test\n").run_any();
    assert!(unfinished.status != 0 && unfinished.errors.contains("goes on from here"), "{unfinished}");
    assert!(unfinished.output.contains("That is no full name"), "{unfinished}");
    let greeting = Wire::connect(served.ports.smtp).reply();
    assert!(greeting.lines[0].contains("mail.chosen.test"), "it started anew under its name: {greeting}");

    let said = served.command().arg("setup").input("\ndave\n\n").run();
    assert!(said.output.contains("It has kept.test already"), "{said}");
    let password = behind(&said.output, "Its password, shown only now: ");
    assert!(said.output.contains("MX kept.test") && said.output.contains("mail.chosen.test"), "{said}");
    let wire = Wire::connect(served.ports.imaps).into_tls(HOST, &served.certificate());
    let mut imap = Imap::try_new(wire.unwrap()).unwrap();
    assert_eq!(imap.command(&format!("LOGIN dave@kept.test {password}")).status, "OK");
    let accounts = served.command().args(["--json", "account", "list"]).run().output;
    let accounts: Vec<serde_json::Value> = serde_json::from_str(&accounts).unwrap();
    let operators: Vec<&str> =
        accounts.iter().filter(|a| a["operator"] == true).map(|a| a["address"].as_str().unwrap()).collect();
    assert_eq!(operators, ["dave@kept.test"]);
    assert!(served.command().arg("setup").run().output.contains("is set up already"));
}

#[test]
fn a_link_is_one_line_and_a_set_up_server_gives_none() {
    let served = served();
    let first = served.command().args(["setup", "--link"]).run();
    let (lines, port) = (first.output.lines().collect::<Vec<_>>(), served.ports.https);
    let [url] = lines.as_slice() else { panic!("{first}") };
    let (before, token) = url.split_once("/setup/").unwrap();
    assert!(before.starts_with("https://") && before.ends_with(&format!(":{port}")) && token.len() >= 43, "{url}");
    assert!(first.errors.contains("start it before you open the link"), "{first}");
    let second = served.command().args(["setup", "--link"]).run();
    assert_ne!(first.output, second.output);
    let set_up = served.command().arg("setup").input("mail.chosen.test\nalice@kept.test\n").run();
    assert!(set_up.output.contains("with the password it has"), "{set_up}");
    let refused = served.command().args(["setup", "--link"]).run_any();
    assert!(refused.status != 0 && refused.output.is_empty(), "{refused}");
    assert!(refused.errors.contains("this server is set up already"), "{refused}");
}
