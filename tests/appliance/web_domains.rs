//! A domain added at the web, its records published one after the other, and the page that follows.

use std::path::PathBuf;

use mailstead_tests::browser::{NARROW, WIDE};
use mailstead_tests::{Browser, Demo};
use serde_json::Value;

use crate::MAILSTEAD;
use crate::web::{OPERATOR, sign_in, signed_in};

const DOMAIN: &str = "fresh.test";

struct Published {
    demo: Demo,
    file: PathBuf,
    lines: Vec<String>,
    _folder: tempfile::TempDir,
}

impl Published {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("records");
        std::fs::write(&file, "").unwrap();
        let demo = Demo::start(MAILSTEAD, &["--records", file.to_str().unwrap()]);
        Self { demo, file, lines: vec![format!("{DOMAIN}. 5 IN NS ns.test.")], _folder: folder }
    }

    /// Publishes one more record.
    fn publish(&mut self, line: &str) {
        self.lines.push(line.replace(" 3600 IN ", " 5 IN "));
        let fresh = self.file.with_extension("fresh");
        std::fs::write(&fresh, self.lines.join("\n") + "\n").unwrap();
        std::fs::rename(fresh, &self.file).unwrap();
    }

    /// What is to be published, as the command line tells it.
    fn records(&self) -> Vec<Value> {
        let said = self.demo.command("home.test").args(["--json", "domain", "records", DOMAIN]).run();
        serde_json::from_str::<Value>(&said.output).unwrap()["entries"].as_array().unwrap().clone()
    }
}

fn add(browser: &Browser) {
    browser.open("/domains");
    browser.follow("Add a domain");
    browser.fill("The domain", DOMAIN);
    browser.press("Add it and show its records");
    browser.until("the new domain's page opens", || (browser.path() == format!("/domains/{DOMAIN}")).then_some(()));
    browser.sees("is added. Now publish its records");
    browser.open("/domains");
    browser.sees("to be put right before mail works");
    browser.follow(DOMAIN);
}

fn classes(browser: &Browser, id: &str) -> String {
    browser.attributes(&format!("#{id}"), "class").first().cloned().unwrap_or_default()
}

#[test]
fn every_verdict_changes_from_missing_to_right_while_the_page_is_open() {
    let mut world = Published::start();
    let browser = signed_in(&world.demo, OPERATOR);
    add(&browser);
    browser.sees("to be put right before mail works");
    browser.resize(WIDE);
    browser.audit("domain-missing-wide");
    browser.resize(NARROW);
    browser.audit("domain-missing-narrow");
    browser.resize(WIDE);
    world.publish(&format!("{DOMAIN}. 5 IN MX 10 mail.home.test.{DOMAIN}."));
    browser.sees("the zone's name was added to a name that was whole already");
    world.lines.pop();
    for record in world.records() {
        let (id, line) = (record["id"].as_str().unwrap(), record["zone_line"].as_str().unwrap());
        if id == "a" || id.starts_with("ptr") {
            continue;
        }
        world.publish(line);
        let anchor: String = id.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
        browser.until(&format!("{id} is right"), || {
            let class = classes(&browser, &anchor);
            (class.contains("good") || class.contains("warn")).then_some(())
        });
    }
    browser.until("all is right", || browser.text().contains("All is right").then_some(()));
    browser.open(&format!("/domains/{DOMAIN}"));
    browser.audit("domain-right-wide");
}

#[test]
fn a_domain_is_settled_without_javascript() {
    let mut world = Published::start();
    let browser = Browser::without_javascript(&world.demo.site("home.test"));
    sign_in(&browser, OPERATOR, &world.demo.account(OPERATOR).password);
    browser.open("/domains/add");
    browser.fill("The domain", "not a domain");
    browser.press("Add it and show its records");
    browser.sees("That is no domain");
    add(&browser);
    for record in world.records() {
        world.publish(record["zone_line"].as_str().unwrap());
    }
    browser.until("all is right", || {
        browser.press("Check again");
        browser.text().contains("All is right").then_some(())
    });
    browser.press("Make the next keys");
    browser.sees("New keys of fresh.test are made");
    browser.sees("Next signing key");
    browser.press("Give up the next keys");
    browser.sees("the present ones go on signing");
    browser.sees("To be removed");
    browser.fill("Who gets mail for unknown addresses", "alice@home.test");
    browser.press("Save");
    browser.sees("Mail for unknown addresses of fresh.test goes to alice@home.test");
    browser.follow("Remove it");
    browser.press("Remove the domain");
    browser.sees("The domain fresh.test is removed");
}
