//! What is made to hurt dies cheaply.

use std::io::{self, Read, Write as _};
use std::time::{Duration, Instant};

use flate2::Compression;
use flate2::read::GzEncoder;

use super::*;
use crate::report::unpack::{parse, unpack};

pub(super) fn deflated(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// A zip file's first entry, and some rubbish behind it.
pub(super) fn zip(method: u16, flags: u16, content: &[u8], length: usize) -> Vec<u8> {
    let mut file = b"PK\x03\x04\x14\0".to_vec();
    file.extend(flags.to_le_bytes());
    file.extend(method.to_le_bytes());
    file.extend([0; 8]);
    file.extend(u32::try_from(length).unwrap().to_le_bytes());
    file.extend(u32::try_from(length).unwrap().to_le_bytes());
    file.extend([5, 0, 2, 0]);
    file.extend(b"r.xmlEX");
    file.extend(content);
    file.extend(b"PK\x01\x02 and so on");
    file
}

/// So many bytes, packed without ever being held.
fn gzip(reader: impl Read) -> Vec<u8> {
    let mut packed = Vec::new();
    GzEncoder::new(reader, Compression::fast()).read_to_end(&mut packed).unwrap();
    packed
}

fn quickly<T>(work: impl FnOnce() -> T) -> T {
    let began = Instant::now();
    let result = work();
    assert!(began.elapsed() < Duration::from_secs(60), "it took {:?}", began.elapsed());
    result
}

const HEAD: &str = "<feedback><report_metadata><org_name>x</org_name><report_id>x</report_id></report_metadata>\
                    <policy_published><domain>home.test</domain></policy_published>";

#[test]
fn a_gzip_bomb_is_put_down_at_the_limit() {
    let bomb = gzip(io::repeat(b' ').take(200 << 20));
    assert!(bomb.len() < 2 << 20);
    assert_eq!(quickly(|| unpack(&bomb, MAX_UNPACKED)), Err(Unreadable::Bomb));
    let honest = gzip(io::repeat(b'x').take(MAX_UNPACKED as u64));
    assert_eq!(unpack(&honest, MAX_UNPACKED).unwrap().len(), MAX_UNPACKED);
}

#[test]
fn a_zip_bomb_is_put_down_at_the_limit_whatever_it_says_of_itself() {
    let bomb = zip(8, 0, &deflated(&vec![b' '; MAX_UNPACKED + 1]), 10);
    assert_eq!(quickly(|| unpack(&bomb, MAX_UNPACKED)), Err(Unreadable::Bomb));
    let cut = zip(0, 0, b"short", 4_000_000_000);
    assert!(matches!(unpack(&cut, MAX_UNPACKED), Err(Unreadable::Packed(_))));
    for (method, flags) in [(8, 1), (0, 8), (99, 0)] {
        assert!(matches!(unpack(&zip(method, flags, b"x", 1), MAX_UNPACKED), Err(Unreadable::Packed(_))));
    }
    let whole = zip(8, 0, &deflated(HEAD.as_bytes()), 0);
    for length in 4..whole.len() - 20 {
        assert!(matches!(unpack(&whole[..length], MAX_UNPACKED), Err(Unreadable::Packed(_))), "{length}");
    }
}

#[test]
fn a_packed_file_in_a_packed_file_is_no_report() {
    let inner = gzip(HEAD.as_bytes());
    let outer = unpack(&gzip(inner.as_slice()), MAX_UNPACKED).unwrap();
    assert_eq!(parse(&outer), Err(Unreadable::Nothing));
}

#[test]
fn entities_of_ones_own_are_refused() {
    let laughs: String = (1..10).map(|n| format!("<!ENTITY l{n} \"&l{0};&l{0};&l{0};\">", n - 1)).collect();
    for (xml, error) in [
        (format!("<!DOCTYPE lolz [<!ENTITY l0 \"lol\">{laughs}]><feedback>&l9;</feedback>"), None),
        ("<!DOCTYPE f SYSTEM \"file:///etc/passwd\"><feedback/>".to_owned(), None),
        ("<?xml version=\"1.0\"?><!doctype x><feedback/>".to_owned(), None),
        ("<feedback><report_metadata><org_name>&l9;</org_name></report_metadata></feedback>".to_owned(), Some(())),
    ] {
        let found = parse(xml.as_bytes()).unwrap_err();
        match error {
            None => assert!(matches!(found, Unreadable::DocumentType | Unreadable::Xml(_)), "{found}"),
            Some(()) => assert!(found.to_string().contains("entity"), "{found}"),
        }
    }
}

#[test]
fn ten_million_rows_are_refused_before_they_are_held() {
    let rows = Rows { left: 10_000, rest: HEAD.as_bytes().to_vec() };
    assert_eq!(quickly(|| unpack(&gzip(rows), MAX_UNPACKED)), Err(Unreadable::Bomb));
    let fits = HEAD.to_owned() + &"<record/>".repeat(1_000_000) + "</feedback>";
    assert_eq!(quickly(|| parse(fits.as_bytes())), Err(Unreadable::TooManyRows));
}

/// Rows of a report, a thousand at a time, made as they are read.
struct Rows {
    left: u64,
    rest: Vec<u8>,
}

impl Read for Rows {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if self.rest.is_empty() && self.left > 0 {
            self.left -= 1;
            self.rest = b"<record><row><count>1</count></row></record>".repeat(1_000);
        }
        let length = into.len().min(self.rest.len());
        into[..length].copy_from_slice(&self.rest[..length]);
        self.rest.drain(..length);
        Ok(length)
    }
}

#[test]
fn depth_ends_early_in_xml_and_json() {
    assert_eq!(quickly(|| parse("<feedback>".repeat(1_000_000).as_bytes())), Err(Unreadable::TooDeep));
    let deep = format!("{{\"x\":{}", "[".repeat(5_000_000));
    assert!(matches!(quickly(|| parse(deep.as_bytes())), Err(Unreadable::Json(_))));
}

#[test]
fn long_lists_in_json_are_refused_before_they_are_held() {
    for list in [
        "{\"policies\":[",
        "{\"policies\":[{\"policy\":{\"policy-type\":\"\",\"policy-domain\":\"\"},\"failure-details\":[",
    ] {
        let entry = if list.ends_with("details\":[") {
            "{},"
        } else {
            "{\"policy\":{\"policy-type\":\"\",\"policy-domain\":\"a.test\"}},"
        };
        let json = list.to_owned() + &entry.repeat(3_000_000 / entry.len());
        assert_eq!(quickly(|| parse(json.as_bytes())), Err(Unreadable::TooManyRows));
    }
    let lines = "\"x\",".repeat(1_000_000);
    let json = format!(
        "{{\"policies\":[{{\"policy\":{{\"policy-type\":\"sts\",\"policy-domain\":\"a.test\",\"policy-string\":[{lines}\"x\"]}}}}]}}"
    );
    assert_eq!(quickly(|| parse(json.as_bytes())), Err(Unreadable::Missing("time")));
}

#[test]
fn a_long_policy_is_not_repeated_without_end() {
    let line = "x".repeat(MAX_WORD);
    let lines = vec![line.as_str(); MAX_LIST];
    let failures = vec![serde_json::json!({"result-type": "certificate-expired", "failed-session-count": 1}); 1_000];
    let json = serde_json::json!({
        "organization-name": "x", "report-id": "x",
        "date-range": {"start-datetime": "2024-10-04T00:00:00Z", "end-datetime": "2024-10-04T23:59:59Z"},
        "policies": [{
            "policy": {"policy-type": "sts", "policy-domain": "a.test", "policy-string": lines, "mx-host": lines},
            "failure-details": failures,
        }],
    });
    let Findings::Tls(rows) = parse(json.to_string().as_bytes()).unwrap().findings else { panic!("it is TLS's") };
    assert_eq!(rows.len(), 1_000);
    let whole = |row: &TlsOutcome| matches!(&row.policy, TlsPolicy::Sts { lines, .. } if lines.len() == MAX_LIST);
    assert!(whole(&rows[0].0) && !whole(&rows[999].0));
}

#[test]
fn endless_words_are_cut() {
    let xml = format!(
        "<feedback><report_metadata><org_name>{}</org_name><report_id>1</report_id><date_range><begin>1</begin>\
         <end>2</end></date_range></report_metadata><policy_published><domain>a.test</domain></policy_published>\
         </feedback>",
        "ä".repeat(4_000_000)
    );
    assert_eq!(quickly(|| parse(xml.as_bytes())).unwrap().organisation, "ä".repeat(MAX_WORD));
}

#[test]
fn what_is_cut_short_or_empty_says_so() {
    let whole = dmarc::write(&dmarc_report(), &domain("world.test"), &dmarc_rows());
    for length in (0..whole.len() - 1).step_by(7) {
        assert!(parse(&whole.as_bytes()[..length]).is_err(), "{length}");
    }
    let packed = gzip(whole.as_bytes());
    for length in 2..packed.len() - 8 {
        assert!(matches!(unpack(&packed[..length], MAX_UNPACKED), Err(Unreadable::Packed(_))), "{length}");
    }
    assert_eq!(parse(b"<html/>"), Err(Unreadable::Missing("element <feedback> around it")));
    assert_eq!(parse(b"{}"), Err(Unreadable::Missing("time")));
}
