//! The first ten minutes at the web: a new server gets its name, its domain, its operator, and somebody with mail.

use mailstead_tests::browser::{NARROW, WIDE};
use mailstead_tests::served::HOST;
use mailstead_tests::{Browser, Demo, Imap, Letter, Served, Smtp, Wire};
use serde_json::Value;
use tempfile::TempDir;

use crate::MAILSTEAD;
use crate::web::{OPERATOR, signed_in};

const DORA: (&str, &str) = ("dora@first.test", "a password of dora");
const ERIN: (&str, &str) = ("erin@first.test", "a password of erin");

/// A server with nothing in it, whose DNS is the tiny internet's with a file of records that can grow.
struct New {
    served: Served,
    demo: Demo,
    folder: TempDir,
    lines: Vec<String>,
}

impl New {
    #[track_caller]
    fn start() -> Self {
        let folder = TempDir::new().unwrap();
        let file = folder.path().join("records");
        std::fs::write(&file, "").unwrap();
        let demo = Demo::start(MAILSTEAD, &["--records", file.to_str().unwrap()]);
        let names = format!("[dns]\nservers = [\"{}\"]\n", demo.world.dns);
        let mut served = Served::prepare(MAILSTEAD, None, &names);
        served.unname();
        for name in ["alice", "carol"] {
            served.command().args(["account", "remove", "--yes", &format!("{name}@kept.test")]).run();
        }
        served.command().args(["domain", "remove", "kept.test"]).run();
        served.start();
        Self { served, demo, folder, lines: vec!["first.test. 5 IN NS ns.test.".to_owned()] }
    }

    /// The path of a fresh link.
    #[track_caller]
    fn link(&self) -> String {
        let said = self.served.command().args(["setup", "--link"]).run();
        let (_, token) = said.output.trim().split_once("/setup/").unwrap_or_else(|| panic!("{said}"));
        format!("/setup/{token}")
    }

    fn origin(&self) -> String {
        format!("https://mail.first.test:{}", self.served.ports.https)
    }

    /// Publishes one more record.
    fn publish(&mut self, line: &str) {
        self.lines.push(line.replace(" 3600 IN ", " 5 IN "));
        let fresh = self.folder.path().join("fresh");
        std::fs::write(&fresh, self.lines.join("\n") + "\n").unwrap();
        std::fs::rename(fresh, self.folder.path().join("records")).unwrap();
    }

    #[track_caller]
    fn imap(&self, (address, password): (&str, &str)) -> Imap {
        let wire = Wire::connect(self.served.ports.imaps).into_tls(HOST, &self.served.certificate());
        let mut imap = Imap::try_new(wire.unwrap()).unwrap();
        imap.login(address, password);
        imap
    }

    #[track_caller]
    fn submission(&self, (address, password): (&str, &str)) -> Smtp {
        let wire = Wire::connect(self.served.ports.submissions).into_tls(HOST, &self.served.certificate());
        let mut smtp = Smtp::new(wire.unwrap());
        smtp.hello("laptop.test");
        smtp.login(address, password);
        smtp
    }
}

/// From the link to the page with the domain's records; `look` sees each step.
#[track_caller]
fn walk(browser: &Browser, link: &str, look: impl Fn(&str)) {
    browser.open(link);
    browser.sees("step 1 of 3");
    look("host");
    browser.fill("Name", "no-name");
    browser.press("Take this name");
    browser.until("a wrong name is told", || (browser.count("[role=alert]") > 0).then_some(()));
    browser.fill("Name", "mail.first.test");
    browser.press("Take this name");
    browser.until("the server is back under its name", || {
        let back = browser.text().contains("step 2 of 3");
        if !back {
            browser.goes_to(&format!("{link}?step=domain"));
        }
        back.then_some(())
    });
    look("domain");
    browser.fill("Domain", "first.test");
    browser.press("Take its mail");
    browser.sees("step 3 of 3");
    look("account");
    browser.fill("Your mail address", DORA.0);
    browser.fill("Password", DORA.1);
    browser.press("Finish");
    browser.sees("publish the records below");
    assert_eq!(browser.path(), "/domains/first.test");
}

#[test]
fn a_link_leads_from_a_new_server_to_its_records_and_each_is_followed_into_dns() {
    let mut new = New::start();
    let (browser, link) = (Browser::start(&new.origin()), new.link());
    walk(&browser, &link, |step| {
        for width in [NARROW, WIDE] {
            browser.resize(width);
            browser.audit(&format!("setup-{step}-{width}"));
        }
    });
    browser.until("the record of mail is missing", || standing(&browser, "mx").contains("bad").then_some(()));
    browser.audit("setup-records-1280");
    let said = new.served.command().args(["--json", "domain", "records", "first.test"]).run();
    let entries = serde_json::from_str::<Value>(&said.output).unwrap();
    let mx = entries["entries"].as_array().unwrap().iter().find(|one| one["id"] == "mx").unwrap();
    new.publish(mx["zone_line"].as_str().unwrap());
    browser.until("the record of mail is right", || standing(&browser, "mx").contains("good").then_some(()));
    browser.open(&link);
    browser.until("the link is used up", || browser.text().contains("mailstead setup --link").then_some(()));
    assert_eq!(new.imap(DORA).messages_in("INBOX").len(), 0);
    drop(new.demo);
}

fn standing(browser: &Browser, anchor: &str) -> String {
    browser.attributes(&format!("#{anchor}"), "class").concat()
}

#[test]
fn without_javascript_a_new_server_is_set_up_and_its_people_write_to_each_other() {
    let new = New::start();
    let browser = Browser::without_javascript(&new.origin());
    walk(&browser, &new.link(), |_| {});
    browser.follow("Accounts");
    browser.follow("Add an account");
    browser.fill("Mail address", ERIN.0);
    browser.fill("Password", ERIN.1);
    browser.press("Add it");
    browser.sees(ERIN.0);
    let letter = Letter::new(ERIN.0, DORA.0, "hello, neighbour").bytes();
    new.submission(ERIN).send(ERIN.0, &[DORA.0], &letter);
    new.imap(DORA).wait_for("INBOX", "Subject: hello, neighbour");
    browser.follow("Activity");
    browser.reload_until("the letter is on record", || {
        browser.text().contains("erin@first.test → dora@first.test").then_some(())
    });
}

#[test]
fn an_account_made_at_the_web_reads_and_sends() {
    let demo = crate::demo();
    let browser = signed_in(&demo, OPERATOR);
    browser.follow("Accounts");
    browser.follow("Add an account");
    browser.fill("Mail address", "dave@home.test");
    browser.press("Add it");
    browser.sees("shown only now");
    browser.audit("account-made-1280");
    let password = browser.texts(".copyable code").concat();
    let home = demo.home();
    let mut smtp = Smtp::new(Wire::connect_tls(home.ports.submissions, &home.host, &demo.world.ca));
    smtp.hello("laptop.test");
    smtp.login("dave@home.test", &password);
    let (dave, bob) = ("dave@home.test", "bob@world.test");
    smtp.send(dave, &[bob], &Letter::new(dave, bob, "from the new one").bytes());
    demo.imap(bob).wait_for("INBOX", "Subject: from the new one");
    let mut imap = Imap::connect_tls(home.ports.imaps, &home.host, &demo.world.ca);
    imap.login(dave, &password);
    assert_eq!(imap.messages_in("INBOX").len(), 0);
}
