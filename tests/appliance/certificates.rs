//! Certificates: from a real ACME server, each name by itself, and from files.

use std::path::Path;
use std::time::Duration;

use mailstead_tests::served::{HOST, Site};
use mailstead_tests::{Demo, Pebble, Served, Tool, Wire, eventually, pebble};
use serde_json::Value;

use crate::MAILSTEAD;

/// An order takes a second or two; half of all nonces may be thrown away.
const ISSUE: Duration = Duration::from_secs(60);
const A_YEAR: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// The project's own DNS server, with the names a test wants.
struct Names {
    demo: Demo,
    file: tempfile::NamedTempFile,
}

impl Names {
    fn new(lines: &[&str]) -> Self {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text(lines)).unwrap();
        let demo = Demo::start(MAILSTEAD, &["--records", file.path().to_str().unwrap()]);
        Self { demo, file }
    }

    fn publish(&self, lines: &[&str]) {
        std::fs::write(self.file.path(), text(lines)).unwrap();
    }

    fn server(&self) -> &str {
        &self.demo.world.dns
    }

    fn config(&self) -> String {
        format!("[dns]\nservers = [\"{}\"]\n", self.server())
    }
}

fn text(lines: &[&str]) -> String {
    lines.iter().map(|line| format!("{line}\n")).collect()
}

fn here(name: &str) -> String {
    format!("{name}. 1 IN A 127.0.0.1")
}

/// An appliance whose certificates come from `pebble`.
fn asking(pebble: &Pebble, names: &Names, http: bool, https: bool) -> Served {
    let site = Site { files: false, http: http.then_some(pebble.http), https: https.then_some(pebble.https) };
    Served::prepare_site(MAILSTEAD, None, site, &(pebble.config() + &names.config()))
}

/// What a client that asks for `host` is shown on a TLS port, if it can trust it.
fn shown(port: u16, host: &str, root: &Path) -> Option<Vec<u8>> {
    Wire::connect(port).into_tls(host, root).ok()?.certificate()
}

/// What is shown after STARTTLS on the SMTP port.
fn shown_by_starttls(port: u16, host: &str, root: &Path) -> Option<Vec<u8>> {
    let mut wire = Wire::connect(port);
    wire.reply().expect(220);
    wire.command("EHLO client.test").expect(250);
    wire.command("STARTTLS").expect(220);
    wire.into_tls(host, root).ok()?.certificate()
}

#[track_caller]
fn wait_for(what: &str, port: u16, host: &str, root: &Path) -> Vec<u8> {
    eventually(what, ISSUE, || shown(port, host, root))
}

/// How it stands with a name.
fn standing(served: &Served, name: &str) -> Option<Value> {
    served.certificates().into_iter().find(|certificate| certificate["name"] == name)
}

#[track_caller]
fn wait_for_trouble(served: &Served, name: &str, words: &str) -> Value {
    eventually(&format!("{name} is told of: {words}"), ISSUE, || {
        let standing = standing(served, name)?;
        standing["last_error"].as_str()?.contains(words).then_some(standing)
    })
}

#[test]
fn each_name_that_leads_here_gets_its_certificate_and_is_shown_it_on_every_port() {
    let (host, sts) = (here(HOST), here("mta-sts.kept.test"));
    let elsewhere = "autoconfig.kept.test. 1 IN A 192.0.2.9";
    let names = Names::new(&[&host, &sts, elsewhere]);
    let pebble = Pebble::start_new(names.server(), 5, A_YEAR);
    let mut served = asking(&pebble, &names, false, true);
    served.start();
    let root = pebble.root();
    let ports = served.ports;
    let own = wait_for("the mail host's certificate", ports.imaps, HOST, &root);
    let policy = wait_for("the policy host's certificate", ports.imaps, "mta-sts.kept.test", &root);
    assert_ne!(own, policy);
    for port in [ports.submissions, ports.imaps, ports.pop3s, pebble.https] {
        assert_eq!(shown(port, HOST, &root), Some(own.clone()), "port {port}");
        assert_eq!(shown(port, "mta-sts.kept.test", &root), Some(policy.clone()), "port {port}");
        assert_eq!(shown(port, "strange.test", &root), None, "nobody is fooled into trusting another name");
    }
    for port in [ports.smtp, ports.submission] {
        assert_eq!(shown_by_starttls(port, HOST, &root), Some(own.clone()), "port {port}");
        assert_eq!(shown_by_starttls(port, "mta-sts.kept.test", &root), Some(policy.clone()), "port {port}");
    }

    // What does not lead here waits, says why, and keeps nobody else waiting.
    let stranger = wait_for_trouble(&served, "autoconfig.kept.test", "leads to 192.0.2.9, which is not this server");
    assert_eq!((&stranger["waits_for_dns"], &stranger["source"]), (&true.into(), &"none".into()));
    wait_for_trouble(&served, "autodiscover.kept.test", "no address in DNS yet");
    let told = served.command().args(["certificate", "list"]).run().output;
    assert!(told.starts_with(&format!("{HOST}  from Pebble")) && told.contains("looked at again"), "{told}");

    // A record that is added later, and a domain that is added later, need no restart.
    let (discover, late) = (here("autodiscover.kept.test"), here("mta-sts.late.test"));
    names.publish(&[&host, &sts, elsewhere, &discover, &late]);
    served.command().args(["domain", "add", "late.test"]).run();
    wait_for("a late record's certificate", ports.imaps, "autodiscover.kept.test", &root);
    wait_for("a late domain's certificate", ports.imaps, "mta-sts.late.test", &root);
    assert_eq!(shown(ports.imaps, "autoconfig.kept.test", &root), None);
    served.stop();
}

#[test]
fn proof_by_plain_http_will_do_although_half_of_all_nonces_are_thrown_away() {
    let names = Names::new(&[&here(HOST)]);
    let pebble = Pebble::start_new(names.server(), 50, A_YEAR);
    let mut served = asking(&pebble, &names, true, false);
    served.start();
    wait_for("the mail host's certificate", served.ports.submissions, HOST, &pebble.root());
}

#[test]
fn an_authority_that_is_down_keeps_no_server_from_starting_and_is_asked_again() {
    let names = Names::new(&[&here(HOST)]);
    let mut pebble = Pebble::prepare(names.server(), 5, A_YEAR);
    let mut served = asking(&pebble, &names, true, true);
    assert!(served.start() < Duration::from_secs(30));
    let down = wait_for_trouble(&served, HOST, "the authority can't be asked: Connection refused");
    assert_eq!((&down["source"], &down["waits_for_dns"]), (&"self-signed".into(), &false.into()));
    assert!(down["next_try"].is_string());
    let enforce = ["domain", "mta-sts", "kept.test", "enforce"];
    let said = served.command().args(enforce).run().output;
    assert!(said.contains(&format!("Careful: No authority has certified {HOST}")), "{said}");
    pebble.start();
    let first = wait_for("the certificate after all", served.ports.imaps, HOST, &pebble.root());
    let said = served.command().args(enforce).run().output;
    assert!(!said.contains(&format!("certified {HOST}")), "{said}");

    // What was got is kept: after a restart it is there from the first connection, with nobody asked.
    pebble.stop();
    served.kill();
    served.start();
    assert_eq!(shown(served.ports.imaps, HOST, &pebble.root()), Some(first));
    let standing = standing(&served, HOST).unwrap();
    assert_eq!((&standing["source"], &standing["last_error"]), (&"acme".into(), &Value::Null));
    served.kill();
    let kept = served.certificates();
    assert!(kept.contains(&standing), "a stopped server's certificates are told too: {kept:?}");
}

#[test]
fn a_certificate_is_renewed_in_time_and_one_that_can_not_be_is_told_of_before_its_end() {
    let names = Names::new(&[&here(HOST)]);
    let mut pebble = Pebble::start_new(names.server(), 5, Duration::from_secs(24));
    let mut served = asking(&pebble, &names, true, true);
    served.start();
    let port = served.ports.imaps;
    let first = wait_for("the first certificate", port, HOST, &pebble.root());
    let open = Wire::connect(port).into_tls(HOST, &pebble.root()).unwrap();
    let second = eventually("it is renewed", ISSUE, || {
        shown(port, HOST, &pebble.root()).filter(|certificate| *certificate != first)
    });
    assert_eq!(shown_by_starttls(served.ports.smtp, HOST, &pebble.root()).as_ref(), Some(&second));
    assert_eq!(key_of(&first), key_of(&second), "a TLSA record for the key stays true");

    pebble.stop();
    let failing = eventually("the operator is told", ISSUE, || {
        let standing = standing(&served, HOST)?;
        (standing["last_error"].is_string() && standing["expires_soon"] == true).then_some(standing)
    });
    assert!(failing["last_error"].as_str().unwrap().contains("can't be asked"), "{failing}");
    eventually("the log warns", ISSUE, || {
        served.process.as_ref()?.tail().contains("the certificate expires soon").then_some(())
    });
    let told = served.command().args(["certificate", "list"]).run().output;
    let status = served.command().arg("status").run().output;
    assert!(status.contains(&format!("CERTIFICATES END SOON: {HOST}.")), "{status}");
    assert!(told.contains("SOON") && told.contains("tried again"), "{told}");

    // The same authority, which has forgotten us and everything else.
    pebble.start();
    wait_for("it is renewed after all", port, HOST, &pebble.root());
    drop(open);
    served.stop();
}

#[test]
fn a_name_the_authority_refuses_is_tried_ever_less_often_and_holds_nobody_up() {
    let blocked = format!("mta-sts.{}", pebble::BLOCKED);
    let names = Names::new(&[&here(HOST), &here(&blocked)]);
    let pebble = Pebble::start_new(names.server(), 5, A_YEAR);
    let mut served = asking(&pebble, &names, true, true);
    served.command().args(["domain", "add", pebble::BLOCKED]).run();
    served.start();
    let first = wait_for("the mail host's certificate", served.ports.imaps, HOST, &pebble.root());
    let refused = wait_for_trouble(&served, &blocked, "the authority said no: ");
    assert!(refused["last_error"].as_str().unwrap().contains("rejectedIdentifier"), "{refused}");
    assert_eq!(refused["source"], "none");

    let said = served.command().args(["certificate", "renew", HOST]).run().output;
    assert!(said.contains(&format!("Asking now for {HOST}.")), "{said}");
    eventually("a new certificate because the operator wants one", ISSUE, || {
        shown(served.ports.imaps, HOST, &pebble.root()).filter(|certificate| *certificate != first)
    });
    let unknown = served.command().args(["certificate", "renew", "other.test"]).run_any();
    assert!(unknown.status == 1 && unknown.errors.contains("not a name this server asks"), "{unknown}");
}

#[test]
fn acme_asks_only_for_what_the_files_do_not_cover_and_plain_http_leads_to_https() {
    let names = Names::new(&[&here(HOST), &here("mta-sts.kept.test")]);
    let pebble = Pebble::start_new(names.server(), 5, A_YEAR);
    let site = Site { files: true, http: Some(pebble.http), https: Some(pebble.https) };
    let mut served = Served::prepare_site(MAILSTEAD, None, site, &(pebble.config() + &names.config()));
    served.start();
    let port = served.ports.imaps;
    wait_for("the policy host's certificate", port, "mta-sts.kept.test", &pebble.root());
    assert!(shown(port, HOST, &served.certificate()).is_some());
    assert_eq!(standing(&served, HOST).unwrap()["source"], "files");

    let curl = |path: &str| {
        let url = format!("http://127.0.0.1:{}{path}", pebble.http);
        let tool =
            Tool::new("curl").args(["-sS", "--noproxy", "*", "-o", "/dev/null", "-H", "Host: mta-sts.kept.test"]);
        tool.args(["-w", "%{http_code} %{redirect_url}", &url]).run().output
    };
    assert_eq!(curl("/page?x=1"), format!("308 https://mta-sts.kept.test:{}/page?x=1", pebble.https));
    assert_eq!(curl("/.well-known/acme-challenge/guess"), "404 ");
}

#[test]
fn files_for_another_name_do_not_keep_the_mail_host_from_its_own() {
    let names = Names::new(&[&here(HOST)]);
    let pebble = Pebble::start_new(names.server(), 5, A_YEAR);
    let site = Site { files: true, http: None, https: Some(pebble.https) };
    let mut served = Served::prepare_site(MAILSTEAD, None, site, &(pebble.config() + &names.config()));
    mailstead_tests::postfix::make_certificate(served.certificate().parent().unwrap(), "other.test");
    served.start();
    wait_for("the mail host's certificate", served.ports.imaps, HOST, &pebble.root());
    assert!(shown(served.ports.imaps, "other.test", &served.certificate()).is_some());
    assert_eq!(standing(&served, HOST).unwrap()["source"], "acme");
    assert_eq!(standing(&served, "every other name").unwrap()["source"], "files");
}

#[test]
fn files_are_shown_when_they_change_and_stay_shown_when_they_can_not_be_read() {
    let site = Site { files: true, http: None, https: None };
    let mut served = Served::prepare_site(MAILSTEAD, None, site, "");
    served.start();
    let port = served.ports.imaps;
    let root = served.certificate();
    let old = std::fs::read(&root).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    let old_root = elsewhere.path().join("old.pem");
    std::fs::write(&old_root, &old).unwrap();
    let first = shown(port, HOST, &old_root).expect("the certificate of the files");

    std::fs::write(&root, "not a certificate").unwrap();
    eventually("the log says that they can't be used", ISSUE, || {
        served.process.as_ref()?.tail().contains("the old certificate stays until they can").then_some(())
    });
    assert_eq!(shown(port, HOST, &old_root), Some(first.clone()));

    let folder = root.parent().unwrap();
    mailstead_tests::postfix::make_certificate(folder, HOST);
    eventually("the new ones are shown", ISSUE, || shown(port, HOST, &root).filter(|new| *new != first));
    let standing = standing(&served, HOST).unwrap();
    assert_eq!(standing["source"], "files");
    let log = served.process.as_ref().unwrap().tail();
    assert_eq!(log.matches("the old certificate stays").count(), 1, "{log}");
}

/// A certificate's public key, in PEM.
fn key_of(certificate: &[u8]) -> String {
    Tool::new("openssl").args(["x509", "-inform", "DER", "-noout", "-pubkey"]).input(certificate).run().output
}
