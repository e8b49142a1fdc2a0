//! DNS guidance: what to publish, and what becomes of it in the eyes of the domain's own name servers and the world's.

use std::path::Path;
use std::time::{Duration, Instant};

use mailstead_tests::{Demo, Served, eventually};
use serde_json::Value;

use crate::MAILSTEAD;

const DOMAIN: &str = "fresh.test";
/// The demo's records hold for five seconds.
const PATIENCE: Duration = Duration::from_secs(30);

struct Guided {
    demo: Demo,
    records: std::path::PathBuf,
    _folder: tempfile::TempDir,
}

impl Guided {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let records = folder.path().join("records");
        std::fs::write(&records, "").unwrap();
        let demo = Demo::start(MAILSTEAD, &["--records", records.to_str().unwrap()]);
        demo.command("home.test").args(["domain", "add", DOMAIN]).run();
        Self { demo, records, _folder: folder }
    }

    /// The check, and the command's exit code.
    fn check(&self) -> (Value, i32) {
        let said = self.demo.command("home.test").args(["--json", "domain", "check", DOMAIN]).run_any();
        (serde_json::from_str(&said.output).unwrap_or_else(|error| panic!("{error}: {said}")), said.status)
    }

    fn publish(&self, lines: &[String]) {
        write(&self.records, &lines.join("\n"));
    }

    /// Waits until an entry stands like one of these.
    fn wait_for(&self, id: &str, verdicts: &[&str]) -> Value {
        eventually(&format!("{id} is {verdicts:?}"), PATIENCE, || {
            let found = entry(&self.check().0, id);
            verdicts.contains(&found["verdict"]["is"].as_str()?).then_some(found)
        })
    }
}

/// The name server reads the file again within a second; it must never see half of it.
fn write(path: &Path, text: &str) {
    let fresh = path.with_extension("fresh");
    std::fs::write(&fresh, format!("{text}\n")).unwrap();
    std::fs::rename(fresh, path).unwrap();
}

fn entry(check: &Value, id: &str) -> Value {
    let entries = check["entries"].as_array().unwrap();
    entries.iter().find(|entry| entry["id"] == id).unwrap_or_else(|| panic!("no {id} in {check}")).clone()
}

#[test]
fn verdicts_go_from_missing_to_right_one_by_one_as_the_records_are_published() {
    let guided = Guided::start();
    let (first, status) = guided.check();
    assert_eq!(status, 1, "required records are missing");
    assert!(first["remarks"][0].as_str().unwrap().contains("names no name servers"), "{first}");
    let mut lines = vec![format!("{DOMAIN}. 5 IN NS ns.test.")];
    let missing: Vec<Value> = first["entries"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| {
            let (id, is) = (entry["id"].as_str().unwrap(), entry["verdict"]["is"].as_str().unwrap());
            let of_host = ["a", "ptr 127.0.0.1"].contains(&id);
            assert_eq!(is, if of_host { "right" } else { "missing" }, "{entry}");
            !of_host
        })
        .cloned()
        .collect();
    assert!(missing.len() > 9, "{first}");
    for (index, wanted) in missing.iter().enumerate() {
        lines.push(wanted["zone_line"].as_str().unwrap().replace(" 3600 IN ", " 5 IN "));
        guided.publish(&lines);
        let id = wanted["id"].as_str().unwrap();
        guided.wait_for(id, &["right", "spreading"]);
        if let Some(next) = missing.get(index + 1) {
            assert_eq!(entry(&guided.check().0, next["id"].as_str().unwrap())["verdict"]["is"], "missing");
        }
    }
    let last = eventually("all is right", PATIENCE, || {
        let (check, status) = guided.check();
        let all = check["entries"].as_array()?.iter().all(|entry| entry["verdict"]["is"] == "right");
        (all && status == 0).then_some(check)
    });
    assert_eq!((&last["growth"]["policy"], &last["remarks"]), (&"none".into(), &Value::Array(Vec::new())), "{last}");
    let shown = guided.demo.command("home.test").args(["domain", "check", DOMAIN]).run_any();
    assert!(shown.status == 0 && shown.output.contains("All that fresh.test needs is right."), "{shown}");
}

#[test]
fn common_mistakes_are_named() {
    let guided = Guided::start();
    let (first, _) = guided.check();
    let spf = entry(&first, "spf")["value"].as_str().unwrap().to_owned();
    guided.publish(&[
        format!("{DOMAIN}. 5 IN NS ns.test."),
        format!("{DOMAIN}. 5 IN MX 10 mail.home.test.{DOMAIN}."),
        format!("{DOMAIN}. 5 IN TXT \"{spf}\""),
        format!("{DOMAIN}. 5 IN TXT \"v=spf1 include:_spf.old.test -all\""),
        format!("_dmarc.{DOMAIN}.{DOMAIN}. 5 IN TXT \"v=DMARC1; p=none\""),
        format!("_smtp._tls.{DOMAIN}. 5 IN TXT \"\\\"v=TLSRPTv1; rua=mailto:me@x.test\\\"\""),
        format!("mta-sts.{DOMAIN}. 5 IN A 104.16.1.1"),
    ]);
    for (id, mistake) in [
        ("mx", "missing-dot"),
        ("spf", "several"),
        ("dmarc", "name-doubled"),
        ("tls-rpt", "quotes"),
        ("mta-sts-host", "proxied"),
    ] {
        let wrong = guided.wait_for(id, &["wrong"]);
        assert_eq!(wrong["verdict"]["mistake"], mistake, "{wrong}");
        assert!(wrong["verdict"]["todo"].as_str().unwrap().ends_with('.'), "{wrong}");
    }
    let shown = guided.demo.command("home.test").args(["domain", "check", DOMAIN]).run_any();
    assert!(shown.status == 1 && shown.errors.contains("not yet ready for mail"), "{shown}");
    assert!(shown.output.contains(&format!("found: 10 mail.home.test.{DOMAIN}")), "{shown}");
}

#[test]
fn name_servers_that_do_not_answer_hold_nobody_up() {
    let guided = Guided::start();
    guided.publish(&[format!("{DOMAIN}. 5 IN ANY !SILENCE"), format!("_dmarc.{DOMAIN}. 5 IN ANY !SERVFAIL")]);
    let begun = Instant::now();
    let found = guided.wait_for("mx", &["not-checkable"]);
    assert!(found["verdict"]["why"].as_str().unwrap().ends_with('.'), "{found}");
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    guided.wait_for("dmarc", &["not-checkable"]);
}

#[test]
fn a_stopped_server_tells_the_records_alone() {
    let served = Served::prepare(MAILSTEAD, None, "");
    served.command().args(["domain", "add", DOMAIN]).run();
    let said = served.command().args(["--json", "domain", "check", DOMAIN]).run_any();
    let check: Value = serde_json::from_str(&said.output).unwrap();
    assert!(check["at"].is_null() && check["remarks"][0].as_str().unwrap().contains("not running"), "{check}");
    assert_eq!(entry(&check, "mx")["verdict"], Value::Null);
    assert_eq!(said.status, 1, "what was not looked at is not known to be right");
    let zone = served.command().args(["domain", "records", DOMAIN, "--zone"]).run();
    assert!(zone.output.contains(&format!("{DOMAIN}. 3600 IN MX 10 ")), "{zone}");
}
