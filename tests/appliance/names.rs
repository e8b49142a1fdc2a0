//! Who answers questions about names, as the operator sees it.

use std::time::Duration;

use mailstead_tests::{Bind, Demo, Served, Signed, eventually};

use crate::MAILSTEAD;

const ZONE: &str = "@ MX 10 mail\nmail A 192.0.2.1\n_25._tcp.mail TLSA 3 1 1 \
                    aabbccddaabbccddaabbccddaabbccddaabbccddaabbccddaabbccddaabbccdd\n";

#[test]
fn an_operator_learns_who_answers_and_what_is_proved() {
    let bind = Bind::start(&[("signed.test", ZONE, Signed::Nsec), ("plain.test", ZONE, Signed::No)]);
    let layers = bind.layers();
    let section = format!(
        "[dns]\nresolver = \"recursive\"\nroots = [\"{}\"]\ntrust_anchor = \"{}\"\n",
        layers.root,
        bind.trust_anchor().display()
    );
    let mut served = Served::prepare(MAILSTEAD, None, &section);
    let told = served.command().args(["dns", "check"]).run().output;
    assert!(told.contains("DNS is resolved here, from the root servers downwards"), "{told}");

    let signed = served.command().args(["dns", "ask", "_25._tcp.mail.signed.test", "tlsa"]).run().output;
    assert!(signed.contains("3 1 1 aabbccdd") && signed.contains("Proved by signatures (DNSSEC)"), "{signed}");
    let plain = served.command().args(["--json", "dns", "ask", "plain.test", "MX"]).run().output;
    let plain: serde_json::Value = serde_json::from_str(&plain).unwrap();
    assert_eq!((&plain["records"][0], &plain["secure"]), (&"10 mail.plain.test".into(), &false.into()), "{plain}");
    let nowhere = served.command().args(["dns", "ask", "nowhere.signed.test"]).run_any();
    assert!(nowhere.status == 1 && nowhere.errors.contains("there is no such name"), "{nowhere}");

    served.start();
    let status = eventually("the choice is made", Duration::from_secs(10), || {
        let status = served.command().arg("status").run().output;
        (!status.contains("is being found out")).then_some(status)
    });
    assert!(status.contains("from the root servers downwards, and signatures (DNSSEC) are checked."), "{status}");
    served.stop();
}

#[test]
fn what_is_lost_with_name_servers_that_do_not_answer_is_told_and_starting_does_not_wait() {
    let mut served = Served::prepare(MAILSTEAD, None, "[dns]\nservers = [\"127.0.0.1:9\"]\n");
    let told = served.command().args(["dns", "check"]).run_any();
    assert!(told.status == 1 && told.errors.contains("But: DANE (RFC 7672) can't be used"), "{told}");
    let took = served.start();
    assert!(took < Duration::from_secs(5), "{took:?}");
    served.stop();
}

#[test]
fn the_tiny_internets_names_follow_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let records = folder.path().join("records");
    std::fs::write(&records, "_dmarc.home.test. 5 IN TXT \"v=DMARC1; p=none\"\n").unwrap();
    let demo = Demo::start(MAILSTEAD, &["--records", &records.display().to_string()]);
    let served = Served::prepare(MAILSTEAD, None, &format!("[dns]\nservers = [\"{}\"]\n", demo.world.dns));
    let ask = |name: &str, kind: &str| {
        let said = served.command().args(["--json", "dns", "ask", name, kind]).run_any();
        (said.output + &said.errors).trim().to_owned()
    };
    assert!(ask("_dmarc.home.test", "TXT").contains("v=DMARC1; p=none"));
    assert!(ask("_dmarc.world.test", "TXT").contains("p=reject"));
    assert!(ask("home.test", "MX").contains("10 mail.home.test"));
    std::fs::write(&records, "home.test. 5 IN MX !SERVFAIL\nworld.test. 5 IN MX !NODATA\n").unwrap();
    eventually("the file is read again", Duration::from_secs(20), || {
        ask("_dmarc.home.test", "TXT").contains("p=reject").then_some(())
    });
    assert!(ask("home.test", "MX").contains("no name server gives an answer"));
    assert!(ask("world.test", "MX").contains("the name has no such record"));
}
