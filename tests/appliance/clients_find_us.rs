//! Mail programs find their settings: asked for as each of them asks, checked against each one's published format, and
//! then used.

use mailstead_tests::Demo;
use mailstead_tests::Tool;
use serde_json::Value;

use crate::demo;

const ALICE: &str = "alice@home.test";
const OUTLOOK: &str = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a";

/// `curl` that takes our names to the demo's ports.
fn curl(demo: &Demo) -> Tool {
    let home = demo.home();
    let mut tool = Tool::new("curl").args(["-sS", "--noproxy", "*", "--cacert"]).arg(&demo.world.ca);
    for name in ["mail.home.test", "autoconfig.home.test", "autodiscover.home.test"] {
        tool = tool.arg("--connect-to").arg(format!("{name}:443:{}:{}", home.address, home.ports.https));
        tool = tool.arg("--connect-to").arg(format!("{name}:80:{}:{}", home.address, home.ports.http));
    }
    tool
}

fn get(demo: &Demo, url: &str) -> String {
    curl(demo).args(["--fail", url]).run().output
}

fn discover(demo: &Demo, path: &str, address: &str) -> String {
    let question = format!(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
         <Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006\">\
         <Request><EMailAddress>{address}</EMailAddress>\
         <AcceptableResponseSchema>{OUTLOOK}</AcceptableResponseSchema></Request></Autodiscover>"
    );
    let url = format!("https://autodiscover.home.test{path}");
    curl(demo).args(["--fail", "-H", "Content-Type: text/xml", "--data-binary", &question, &url]).run().output
}

/// Demands that a document is of a format, one of `fixtures/formats`.
fn is_of_format(document: &str, format: &str) {
    let schema = format!("{}/../tests/fixtures/formats/{format}.rng", env!("CARGO_MANIFEST_DIR"));
    Tool::new("xmllint").args(["--noout", "--nonet", "--relaxng", &schema, "-"]).input(document).run();
}

/// The text of all elements of that name, with `xmllint`'s own parser.
fn texts(document: &str, name: &str) -> Vec<String> {
    let path = format!("//*[local-name()='{name}']/text()");
    let said = Tool::new("xmllint").args(["--nonet", "--xpath", &path, "-"]).input(document).run().output;
    said.lines().map(str::to_owned).collect()
}

#[test]
fn thunderbird_finds_its_settings_over_http_and_https() {
    let demo = demo();
    let ports = demo.home().ports;
    let query = "emailaddress=alice%40home.test";
    let told = get(&demo, &format!("https://autoconfig.home.test/mail/config-v1.1.xml?{query}"));
    is_of_format(&told, "autoconfig");
    let all = [ports.imaps, ports.imap, ports.pop3s, ports.pop3, ports.submissions, ports.submission];
    assert_eq!(texts(&told, "port"), all.map(|port| port.to_string()));
    assert_eq!(texts(&told, "socketType"), ["SSL", "STARTTLS", "SSL", "STARTTLS", "SSL", "STARTTLS"]);
    for url in [
        format!("http://autoconfig.home.test/mail/config-v1.1.xml?{query}"),
        "http://autoconfig.home.test/mail/config-v1.1.xml?emailaddress=nobody%40home.test".to_owned(),
        format!("https://mail.home.test/.well-known/autoconfig/mail/config-v1.1.xml?{query}"),
        "https://mail.home.test/.well-known/autoconfig/mail/config-v1.1.xml".to_owned(),
    ] {
        assert_eq!(get(&demo, &url), told, "{url}");
    }
    let far = "https://mail.home.test/mail/config-v1.1.xml?emailaddress=bob%40far.test";
    let elsewhere = curl(&demo).args(["-H", "Host: autoconfig.far.test", "-w", "%{http_code}", far]).run().output;
    assert!(elsewhere.ends_with("404"), "{elsewhere}");
}

#[test]
fn outlook_finds_its_settings_and_nobody_learns_who_exists() {
    let demo = demo();
    let told = discover(&demo, "/autodiscover/autodiscover.xml", ALICE);
    is_of_format(&told, "autodiscover");
    assert_eq!(texts(&told, "Type"), ["IMAP", "IMAP", "POP3", "POP3", "SMTP", "SMTP"]);
    assert_eq!(texts(&told, "Port").first(), Some(&demo.home().ports.imaps.to_string()));
    let nobody = discover(&demo, "/Autodiscover/Autodiscover.xml", "nobody@home.test");
    assert_eq!(nobody.replace("nobody", "alice"), told);
    is_of_format(&discover(&demo, "/AutoDiscover/AutoDiscover.xml", "no address"), "autodiscover");
    let plain = "http://autodiscover.home.test/autodiscover/autodiscover.xml";
    let led = curl(&demo).args(["-o", "/dev/null", "-w", "%{http_code} %{redirect_url}", plain]).run().output;
    let to = format!("https://autodiscover.home.test:{}/autodiscover/autodiscover.xml", demo.home().ports.https);
    assert_eq!(led, format!("302 {to}"));
    let json = "https://mail.home.test/autodiscover/autodiscover.json?Email=alice%40home.test&Protocol=AutodiscoverV1";
    let lead: Value = serde_json::from_str(&get(&demo, json)).unwrap();
    assert_eq!(lead["Protocol"], "AutodiscoverV1");
}

#[test]
fn an_apple_device_installs_a_profile_that_works() {
    let demo = demo();
    let url = "https://mail.home.test/apple.mobileconfig?emailaddress=alice%40home.test";
    let profile = get(&demo, url);
    Tool::new("plistutil").args(["-f", "bin", "-i", "-", "-o", "/dev/null"]).input(profile.clone()).run();
    Tool::new("xmllint").args(["--noout", "--nonet", "-"]).input(profile.clone()).run();
    let script = include_str!("scripts/profile.py");
    let checked = Tool::new("python3").args(["-c", script]).input(profile.clone()).run().output;
    let mail: Value = serde_json::from_str(&checked).unwrap();
    assert_eq!(get(&demo, url), profile, "installed again, it takes the place of the first");
    assert_eq!(mail["EmailAddress"], ALICE);
    // What the device would do with it.
    let [host, port, user] =
        ["HostName", "PortNumber", "Username"].map(|key| &mail[format!("IncomingMailServer{key}")]);
    let login = format!("{}:{}", user.as_str().unwrap(), demo.account(ALICE).password);
    let to = format!("{}::{}:", host.as_str().unwrap(), demo.home().address);
    let inbox = format!("imaps://{}:{port}/INBOX?ALL", host.as_str().unwrap());
    curl(&demo).args(["--connect-to", &to, "--user", &login, &inbox]).run();
}
