//! One thing the tiny internet's name server says of a name, and how it is written.

use hickory_server::proto::rr::rdata::TXT;
use hickory_server::proto::rr::{LowerName, Name, RData, RecordType};

/// Seconds a record may be cached: short, so that changes show at once.
pub(super) const TTL: u32 = 5;

/// Octets of one string of a TXT record (RFC 1035 3.3).
const TXT_STRING: usize = 255;

/// What is said when a question meets an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Says {
    /// This record.
    Data(RData),
    /// The name exists, without such a record (`!NODATA`).
    NoRecords,
    /// The name does not exist (`!NXDOMAIN`).
    NoName,
    /// The server can't tell (`!SERVFAIL`).
    Failure,
    /// No answer comes (`!SILENCE`).
    Silence,
}

/// One record of a name, or one way to have none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(super) name: LowerName,
    /// [`RecordType::ANY`] for questions of every type.
    pub(super) kind: RecordType,
    pub(super) ttl: u32,
    pub(super) says: Says,
}

impl Entry {
    /// A record; `value` is written as in a zone file, but a TXT record's may also be bare text of any length.
    ///
    /// # Errors
    /// What is wrong with the name, the type or the value.
    pub(crate) fn new(name: &str, kind: &str, value: &str) -> Result<Self, String> {
        let owner = absolute(name)?;
        let unknown = || format!("{kind}: not a record type");
        let kind: RecordType = kind.to_ascii_uppercase().parse().map_err(|_| unknown())?;
        let says = match value.trim() {
            "!NODATA" => Says::NoRecords,
            "!NXDOMAIN" => Says::NoName,
            "!SERVFAIL" => Says::Failure,
            "!SILENCE" => Says::Silence,
            text if kind == RecordType::TXT && !text.starts_with('"') => Says::Data(bare_text(text)),
            // The lexer takes what begins a line for a name.
            data => Says::Data(
                RData::try_from_str(kind, &format!(" {data}")).map_err(|error| format!("{name} {kind}: {error}"))?,
            ),
        };
        Ok(Self { name: LowerName::from(owner), kind, ttl: TTL, says })
    }

    /// Reads a zone file of whole lines, `name TTL IN TYPE data`: names are absolute, empty lines and `;` comments are
    /// skipped. For data may stand `!NODATA`, `!NXDOMAIN`, `!SERVFAIL` or `!SILENCE`, and for TYPE then `ANY`.
    ///
    /// # Errors
    /// The line, and what is wrong with it.
    pub(crate) fn read_all(text: &str) -> Result<Vec<Self>, String> {
        let lines = text.lines().enumerate().map(|(index, line)| (index + 1, line.trim()));
        let lines = lines.filter(|(_, line)| !line.is_empty() && !line.starts_with(';'));
        lines.map(|(number, line)| Self::read(line).map_err(|error| format!("line {number}: {error}"))).collect()
    }

    fn read(line: &str) -> Result<Self, String> {
        let mut rest = line;
        let mut next = || {
            let (word, after) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
            rest = after.trim_start();
            word
        };
        let (name, ttl, class, kind) = (next(), next(), next(), next());
        let ttl = ttl.parse().map_err(|_| format!("`{ttl}` is no TTL: write `name TTL IN TYPE data`"))?;
        if !class.eq_ignore_ascii_case("IN") || rest.is_empty() {
            return Err("write `name TTL IN TYPE data`".to_owned());
        }
        Ok(Self { ttl, ..Self::new(name, kind, rest)? })
    }
}

/// The name as an absolute one, with or without its final dot.
pub(super) fn absolute(name: &str) -> Result<Name, String> {
    let mut absolute = Name::from_ascii(name).map_err(|error| format!("{name}: not a name: {error}"))?;
    absolute.set_fqdn(true);
    Ok(absolute)
}

fn bare_text(text: &str) -> RData {
    let strings = text.as_bytes().chunks(TXT_STRING).collect();
    RData::TXT(TXT::from_bytes(strings))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn lines_of_every_kind_are_read() {
        let text = "; comment\n\nmail.x.test. 60 IN A 127.0.0.1\nx.test 5 IN MX 10 mail.x.test.\n\
                    x.test. 5 in txt \"v=spf1 \" \"-all\"\n_25._tcp.mail.x.test. 5 IN TLSA 3 1 1 aabbcc\n\
                    gone.test. 5 IN ANY !SERVFAIL\n1.0.0.127.in-addr.arpa. 5 IN PTR mail.x.test.\n\
                    a.test. 5 IN CNAME mail.x.test.\nmail.x.test. 5 IN AAAA ::1\n";
        let entries = Entry::read_all(text).unwrap();
        assert_eq!(entries.len(), 8);
        assert_eq!(entries[0].ttl, 60);
        let Says::Data(RData::TXT(txt)) = &entries[2].says else { panic!("{:?}", entries[2]) };
        assert_eq!(txt.txt_data.concat(), b"v=spf1 -all");
        let Says::Data(RData::TLSA(tlsa)) = &entries[3].says else { panic!("{:?}", entries[3]) };
        assert_eq!(tlsa.cert_data, [0xaa, 0xbb, 0xcc]);
        assert_eq!((entries[4].kind, &entries[4].says), (RecordType::ANY, &Says::Failure));
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line() {
        for wrong in ["x.test. IN A 127.0.0.1", "x.test. 5 IN A", "x.test. 5 IN A here", "x.test. 5 IN WHAT 1"] {
            let said = Entry::read_all(&format!("\n{wrong}\n")).unwrap_err();
            assert!(said.starts_with("line 2: "), "{wrong}: {said}");
        }
    }

    #[test]
    fn a_text_without_quotes_may_be_long_and_keeps_its_semicolons() {
        let key = format!("v=DKIM1; k=rsa; p={}", "A".repeat(400));
        let Says::Data(RData::TXT(txt)) = Entry::new("s._domainkey.x.test", "TXT", &key).unwrap().says else {
            panic!("no TXT")
        };
        assert_eq!(txt.txt_data.concat(), key.as_bytes());
        assert_eq!(txt.txt_data.len(), 2);
    }
}
