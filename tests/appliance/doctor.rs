//! The doctor, on a server that runs and on one that does not.

use std::net::TcpListener;

use mailstead_tests::Served;
use serde_json::Value;

use crate::MAILSTEAD;

/// Nobody outside is asked.
const AT_HOME: &str =
    "[doctor]\nmail_servers = [\"127.0.0.1:9\"]\nblock_lists = []\ntime_servers = [\"127.0.0.1:9\"]\n";

fn examine(served: &Served) -> (i32, Value) {
    let said = served.command().args(["--json", "doctor"]).run_any();
    let found = serde_json::from_str(&said.output).unwrap_or_else(|error| panic!("{error}: {said}"));
    (said.status, found)
}

fn finding<'a>(found: &'a Value, id: &str) -> &'a Value {
    let findings = found["findings"].as_array().expect("findings");
    findings.iter().find(|finding| finding["id"] == id).unwrap_or_else(|| panic!("no {id} in {found:#}"))
}

#[test]
fn a_port_taken_by_another_program_is_told_with_its_name_before_the_server_starts() {
    let served = Served::prepare(MAILSTEAD, None, AT_HOME);
    let taken = TcpListener::bind(("127.0.0.1", served.ports.imaps)).unwrap();
    let (status, found) = examine(&served);
    assert_eq!((status, &found["light"]), (1, &"bad".into()), "{found:#}");
    let port = finding(&found, &format!("ports {}", served.ports.imaps));
    let what = port["what"].as_str().unwrap();
    assert!(what.contains("(imaps) is taken by") && what.contains(&std::process::id().to_string()), "{what}");
    assert_eq!(port["remedies"][0]["command"], format!("sudo kill {}", std::process::id()), "{port:#}");
    assert_eq!(finding(&found, "server")["light"], "bad");
    drop(taken);
    let (_, found) = examine(&served);
    assert_eq!(finding(&found, "ports")["light"], "good");
}

#[test]
fn a_running_server_is_looked_at_from_within() {
    let mut served = Served::prepare(MAILSTEAD, None, AT_HOME);
    served.start();
    let (status, found) = examine(&served);
    assert_eq!(finding(&found, "server")["light"], "good");
    assert!(finding(&found, "ports")["what"].as_str().unwrap().contains(&served.ports.smtp.to_string()));
    assert_eq!(finding(&found, "disk")["light"], "good");
    assert_eq!(finding(&found, "queue")["what"], "Nothing waits to go out.");
    assert_eq!(finding(&found, "backup")["what"], "No backup was ever made.");
    // In a world without names and without a way out.
    assert_eq!(finding(&found, "hostname")["light"], "unknown");
    let outgoing = finding(&found, "outgoing");
    assert_eq!(outgoing["light"], "bad");
    let relay = outgoing["remedies"][0]["command"].as_str().unwrap();
    assert!(relay.starts_with("mailstead smarthost set "), "{relay}");
    assert_eq!(status, 1);

    let told = served.command().arg("doctor").run_any();
    assert_eq!(told.status, 1);
    assert!(told.output.contains("✕ Outgoing mail: Outgoing port 25 is blocked"), "{told}");
    assert!(told.output.contains(&format!("\n      {relay}\n")), "{told}");

    let words: Vec<&str> = relay.split_whitespace().skip(1).collect();
    served.command().args(words).input("secret\n").run();
    let (_, found) = examine(&served);
    assert_eq!(finding(&found, "outgoing")["light"], "good", "the command that is advised is the remedy");
    served.stop();
}

#[test]
fn without_a_configuration_it_is_told_what_is_missing() {
    let said = mailstead_tests::Tool::new(MAILSTEAD).args(["--config", "/nowhere.toml", "doctor"]).run_any();
    assert!(said.status == 1 && said.errors.contains("/nowhere.toml: there is no configuration"), "{said}");
}
