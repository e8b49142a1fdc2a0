//! What a server offers (RFC 5321 4.1.1.1).

use crate::Reply;

/// The extensions we use, as EHLO's reply names them. All absent after HELO.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Capabilities {
    pub(super) pipelining: bool,
    pub(super) eight_bit_mime: bool,
    pub(super) smtputf8: bool,
    pub(super) dsn: bool,
    pub(super) starttls: bool,
    pub(super) require_tls: bool,
    /// SIZE is offered; its limit, if it names one.
    pub(super) size: Option<Option<u64>>,
    pub(super) auth_plain: bool,
    pub(super) auth_login: bool,
}

impl Capabilities {
    pub(super) fn parse(ehlo: &Reply) -> Self {
        let mut found = Self::default();
        for line in ehlo.lines.iter().skip(1) {
            // Some old servers write `AUTH=LOGIN PLAIN`.
            let mut words = line.split([' ', '=']).filter(|word| !word.is_empty());
            let Some(keyword) = words.next() else { continue };
            match keyword.to_ascii_uppercase().as_str() {
                "PIPELINING" => found.pipelining = true,
                "8BITMIME" => found.eight_bit_mime = true,
                "SMTPUTF8" => found.smtputf8 = true,
                "DSN" => found.dsn = true,
                "STARTTLS" => found.starttls = true,
                "REQUIRETLS" => found.require_tls = true,
                // RFC 1870: 0 or no number mean no fixed limit.
                "SIZE" => found.size = Some(words.next().and_then(|word| word.parse().ok()).filter(|size| *size > 0)),
                "AUTH" => {
                    for mechanism in words {
                        found.auth_plain |= mechanism.eq_ignore_ascii_case("PLAIN");
                        found.auth_login |= mechanism.eq_ignore_ascii_case("LOGIN");
                    }
                }
                _ => {}
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(lines: &[&str]) -> Capabilities {
        let lines = lines.iter().map(|line| (*line).to_owned()).collect();
        Capabilities::parse(&Reply { code: 250, status: None, lines })
    }

    #[test]
    fn keywords_are_read_in_any_case_and_the_greeting_is_none() {
        let found = parse(&["DSN pipelining", "Pipelining", "8bitmime", "SMTPUTF8", "DSN", "STARTTLS", "HELP"]);
        assert!(found.pipelining && found.eight_bit_mime && found.smtputf8 && found.dsn && found.starttls);
        assert!(!parse(&["DSN"]).dsn);
    }

    #[test]
    fn size_has_a_limit_only_if_it_names_one() {
        for (line, size) in [
            ("SIZE", Some(None)),
            ("SIZE 0", Some(None)),
            ("SIZE 1000", Some(Some(1000))),
            ("SIZE lots", Some(None)),
            ("SIZE 99999999999999999999999", Some(None)),
            ("SIZES 5", None),
        ] {
            assert_eq!(parse(&["host", line]).size, size, "{line}");
        }
    }

    #[test]
    fn login_methods_are_found_in_both_spellings() {
        let found = parse(&["host", "AUTH CRAM-MD5 login", "AUTH=PLAIN"]);
        assert!(found.auth_plain && found.auth_login);
    }
}
