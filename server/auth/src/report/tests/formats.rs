//! What we write is what the standards say, and what we and others write is read.

use mailstead_message::{Address, Summary, header};

use super::*;
use crate::report::letter::{Cover, Packed, pack};
use crate::report::unpack;

fn packed(report: &Report) -> Packed {
    pack(report, &domain("world.test"), &domain("home.test")).unwrap()
}

fn letter(report: &Report) -> Vec<u8> {
    let from = Address::parse("dmarc-reports@home.test").unwrap();
    let to = [Address::parse("a@world.test").unwrap(), Address::parse("b@far.test").unwrap()];
    packed(report).letter(Cover { from: &from, to: &to, id: "01hxyz", now: 1_728_090_000 })
}

#[test]
fn dmarc_xml_has_the_elements_of_the_schema_in_its_order() {
    let Findings::Dmarc(rows) = dmarc_report().findings else { panic!("it is DMARC's") };
    let xml = dmarc::write(&dmarc_report(), &domain("world.test"), &rows[1..]);
    let expected = r#"<?xml version="1.0" encoding="UTF-8"?>
<feedback xmlns="urn:ietf:params:xml:ns:dmarc-2.0">
  <version>1.0</version>
  <report_metadata>
    <org_name>home.test</org_name>
    <email>postmaster@home.test</email>
    <report_id>20000.world.test</report_id>
    <date_range>
      <begin>1728000000</begin>
      <end>1728086399</end>
    </date_range>
  </report_metadata>
  <policy_published>
    <domain>world.test</domain>
    <adkim>r</adkim>
    <aspf>s</aspf>
    <p>reject</p>
    <sp>quarantine</sp>
    <np>reject</np>
    <testing>n</testing>
    <fo>1</fo>
  </policy_published>
  <record>
    <row>
      <source_ip>2001:db8::1</source_ip>
      <count>1</count>
      <policy_evaluated>
        <disposition>quarantine</disposition>
        <dkim>fail</dkim>
        <spf>fail</spf>
        <reason>
          <type>local_policy</type>
          <comment>arc=pass &amp; &lt;trusted&gt;</comment>
        </reason>
      </policy_evaluated>
    </row>
    <identifiers>
      <envelope_to>home.test</envelope_to>
      <envelope_from></envelope_from>
      <header_from>world.test</header_from>
    </identifiers>
    <auth_results>
      <dkim>
        <domain>a.test</domain>
        <selector>x</selector>
        <result>fail</result>
      </dkim>
      <dkim>
        <domain>b.test</domain>
        <selector>y</selector>
        <result>permerror</result>
      </dkim>
      <spf>
        <domain>mx.far.test</domain>
        <scope>helo</scope>
        <result>softfail</result>
      </spf>
    </auth_results>
  </record>
</feedback>
"#;
    assert_eq!(xml, expected);
}

#[test]
fn tls_json_has_the_fields_of_rfc_8460() {
    let rows = tls_rows();
    let json = tls::write(&tls_report(), &domain("world.test"), &rows[1..]);
    let found: serde_json::Value = serde_json::from_str(&json).unwrap();
    let expected = serde_json::json!({
        "organization-name": "home.test",
        "date-range": { "start-datetime": "2024-10-04T00:00:00Z", "end-datetime": "2024-10-04T23:59:59Z" },
        "contact-info": "postmaster@home.test",
        "report-id": "20000.world.test",
        "policies": [
            {
                "policy": {
                    "policy-type": "sts",
                    "policy-string": ["version: STSv1", "mode: enforce", "mx: *.world.test"],
                    "policy-domain": "world.test",
                    "mx-host": ["*.world.test"],
                },
                "summary": { "total-successful-session-count": 5326, "total-failure-session-count": 1 },
                "failure-details": [{
                    "result-type": "starttls-not-supported",
                    "sending-mta-ip": "192.0.2.1",
                    "receiving-mx-hostname": "mx.world.test",
                    "failure-reason-code": "expired on \"Monday\"",
                    "failed-session-count": 1,
                }],
            },
            {
                "policy": { "policy-type": "tlsa", "policy-string": ["3 1 1 00ff"], "policy-domain": "world.test" },
                "summary": { "total-successful-session-count": 2, "total-failure-session-count": 0 },
            },
            {
                "policy": { "policy-type": "no-policy-found", "policy-domain": "world.test" },
                "summary": { "total-successful-session-count": 1, "total-failure-session-count": 0 },
            },
        ],
    });
    assert_eq!(found, expected);
}

#[test]
fn what_is_written_is_read_again() {
    for report in [dmarc_report(), tls_report()] {
        assert_eq!(unpack::read(&letter(&report)), Ok(report.clone()));
        assert_eq!(unpack::parse(&unpack::unpack(&packed(&report).bytes, MAX_UNPACKED).unwrap()), Ok(report));
    }
}

#[test]
fn a_letter_has_the_fields_and_names_that_the_standards_ask_for() {
    let of = |report: &Report| {
        let letter = letter(report);
        assert!(letter.is_ascii());
        for line in String::from_utf8(letter.clone()).unwrap().split("\r\n") {
            assert!(line.len() <= 998 && !line.contains(['\r', '\n']), "{line}");
        }
        let summary = Summary::parse(&letter);
        let parts: Vec<String> = summary
            .parts()
            .map(|part| format!("{}/{}", text(&part.media_type), text(&part.media_subtype)).to_lowercase())
            .collect();
        let name = summary.parts().last().and_then(|part| part.param("NAME")).map(text).unwrap();
        (letter, parts, name)
    };
    let (dmarc, parts, name) = of(&dmarc_report());
    assert_eq!(parts, ["multipart/mixed", "text/plain", "application/gzip"]);
    assert_eq!(name, "home.test!world.test!1728000000!1728086399!20000worldtest.xml.gz");
    let subject = "Report Domain: world.test Submitter: home.test Report-ID: <20000.world.test>";
    assert_eq!(header::value(&dmarc, "Subject").as_deref(), Some(subject));
    assert_eq!(header::authors(&dmarc).unwrap(), [Address::parse("dmarc-reports@home.test").unwrap()]);

    let (tls, parts, name) = of(&tls_report());
    assert_eq!(parts, ["multipart/report", "text/plain", "application/tlsrpt+gzip"]);
    assert_eq!(name, "home.test!world.test!1728000000!1728086399!20000worldtest.json.gz");
    for (field, value) in [
        ("Subject", subject),
        ("TLS-Report-Domain", "world.test"),
        ("TLS-Report-Submitter", "home.test"),
        ("TLS-Required", "No"),
        ("Auto-Submitted", "auto-generated"),
    ] {
        assert_eq!(header::value(&tls, field).as_deref(), Some(value));
    }
    assert!(header::value(&tls, "Content-Type").unwrap().contains("report-type=\"tlsrpt\""));
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

#[test]
fn a_strangers_words_stay_inside_their_elements() {
    let mut rows = dmarc_rows();
    rows.truncate(1);
    rows[0].0.dkim[0].selector = "</selector><evil>&x;\u{0}\u{ffff}]]>".into();
    let xml = dmarc::write(&dmarc_report(), &domain("world.test"), &rows);
    let Findings::Dmarc(read) = unpack::parse(xml.as_bytes()).unwrap().findings else { panic!("it is DMARC's") };
    assert_eq!(read[0].0.dkim[0].selector, "</selector><evil>&x;]]>");
}

/// As RFC 7489's time wrote them: no namespace, no version, other words.
const OLD_DMARC: &str = r#"<?xml version="1.0" encoding="UTF-8" ?>
<!-- made by a program of 2014 -->
<feedback>
  <report_metadata>
    <org_name>provider.test</org_name><email>noreply@provider.test</email>
    <extra_contact_info>https://provider.test/help</extra_contact_info>
    <report_id><![CDATA[ 17 & 4 ]]></report_id>
    <date_range><begin>1700000000</begin><end>1700086399</end></date_range>
  </report_metadata>
  <policy_published>
    <domain>home.test</domain><adkim>r</adkim><aspf>r</aspf><p>none</p><sp>none</sp><pct>100</pct>
  </policy_published>
  <record>
    <row>
      <source_ip>203.0.113.9</source_ip><count>4</count>
      <policy_evaluated><disposition>none</disposition><dkim>fail</dkim><spf>fail</spf>
        <reason><type>forwarded</type><comment/></reason></policy_evaluated>
    </row>
    <identities><header_from>home.test</header_from></identities>
    <auth_results><spf><domain>list.test</domain><result>unknown</result></spf></auth_results>
  </record>
  <record>
    <row><source_ip>not an address</source_ip><count>2</count></row>
    <identifiers><header_from>home.test</header_from></identifiers>
  </record>
</feedback>"#;

#[test]
fn reports_of_old_programs_are_read_as_far_as_they_make_sense() {
    let report = unpack::parse(OLD_DMARC.as_bytes()).unwrap();
    assert_eq!((report.organisation.as_str(), report.id.as_str(), report.untold), ("provider.test", "17 & 4", 2));
    let Findings::Dmarc(rows) = report.findings else { panic!("it is DMARC's") };
    let [(row, 4)] = rows.as_slice() else { panic!("one row: {rows:?}") };
    assert_eq!(row.overrides[0].kind, DmarcOverrideKind::TrustedForwarder);
    assert_eq!(row.overrides[0].comment, None);
    assert_eq!(row.published.percent, Some(100));
    assert_eq!(row.envelope_from, None);
    let list = SpfAuth { domain: "list.test".into(), of_helo: false, result: AuthResult::Temperror };
    assert_eq!(row.spf, Some(list));
}

#[test]
fn counts_without_end_are_counted_to_the_end_of_counting() {
    let max = u64::MAX.to_string();
    let endless = OLD_DMARC.replace("<count>2</count></row>", &format!("<count>{max}</count></row>")).replace(
        "</feedback>",
        &format!("<record><row><count>{max}</count></row></record><record><row><count>{max}0</count></row></record></feedback>"),
    );
    assert_eq!(unpack::parse(endless.as_bytes()).unwrap().untold, u64::MAX);
}

#[test]
fn a_tls_report_with_texts_for_lists_and_kinds_unheard_of_is_read() {
    let json = r#"{"organization-name":"P","date-range":{"start-datetime":"2024-10-04T00:00:00+02:00",
        "end-datetime":"2024-10-04T23:59:59Z"},"contact-info":null,"report-id":"1","policies":[{"policy":
        {"policy-type":"sts","policy-string":"version: STSv1","policy-domain":"home.test.","mx-host":null},
        "summary":{"total-failure-session-count":9},"failure-details":[{"result-type":"gremlins",
        "failed-session-count":4,"unknown":[{}]}]}]}"#;
    let report = unpack::parse(json.as_bytes()).unwrap();
    assert_eq!(report.untold, 5);
    let Findings::Tls(rows) = report.findings else { panic!("it is TLS's") };
    let [(row, 4)] = rows.as_slice() else { panic!("one row: {rows:?}") };
    assert_eq!(row.policy, TlsPolicy::Sts { lines: vec!["version: STSv1".into()], mx: Vec::new() });
    let failure = row.failure.as_ref().unwrap();
    assert_eq!((failure.result, failure.reason.as_deref()), (TlsResult::ValidationFailure, Some("gremlins")));
}

#[test]
fn a_report_is_found_in_zip_files_and_unpacked_too() {
    let xml = OLD_DMARC.as_bytes();
    let attached = |kind: &str, name: &str, bytes: &[u8]| {
        use base64::Engine as _;
        let encoded = base64::engine::general_purpose::STANDARD.encode(bytes);
        format!(
            "From: a@b.test\r\nContent-Type: {kind}; name=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n\
             {encoded}\r\n"
        )
        .into_bytes()
    };
    let stored = super::bombs::zip(0, 0, xml, xml.len());
    let deflated = super::bombs::zip(8, 8, &super::bombs::deflated(xml), 0);
    for (kind, name, bytes) in [
        ("application/zip", "r.zip", stored.as_slice()),
        ("application/octet-stream", "x", &deflated),
        ("text/xml", "x", xml),
        ("application/octet-stream", "report.XML", xml),
    ] {
        assert!(unpack::read(&attached(kind, name, bytes)).is_ok(), "{kind} {name}");
    }
    assert_eq!(unpack::read(&attached("text/html", "x", b"<html></html>")), Err(Unreadable::Nothing));
    assert_eq!(unpack::read(b"From: a@b.test\r\n\r\nHello\r\n"), Err(Unreadable::Nothing));
}
