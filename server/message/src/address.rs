//! Addresses and domains, parsed once at the edge and never checked again.

use std::fmt;
use std::str::FromStr;

use icu_normalizer::ComposingNormalizerBorrowed;
use idna::uts46::{AsciiDenyList, DnsLength, Hyphens, Uts46};
use serde::{Deserialize, Serialize};

/// Octets of a local part, unquoted (RFC 5321 4.5.3.1.1).
pub const MAX_LOCAL_PART: usize = 64;
/// Octets of a domain name in ASCII (RFC 1035 2.3.4, less the length octets).
pub const MAX_DOMAIN: usize = 253;
/// Octets looked at when an internationalised name is read: no longer text has a valid ASCII form, and
/// the Punycode encoder's cost grows faster than its input.
const MAX_DOMAIN_TEXT: usize = 1_000;
/// Octets of one label of a domain name.
const MAX_LABEL: usize = 63;

/// Why a text is not an address (RFC 5321 4.1.2, RFC 6531 3.3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// No `@`, or nothing before or after it.
    #[error("an address looks like name@example.org")]
    Shape,
    /// The part before the `@` is not a dot-atom or a quoted string, or is over 64 octets.
    #[error("the part before the @ is not valid")]
    LocalPart,
    /// The part behind the `@` is not a domain name.
    #[error("the part behind the @ is not a domain name")]
    Domain,
}

/// A domain name in its canonical form: lower case, A-labels (`xn--`), no trailing dot, at most 253 octets.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct Domain(String);

impl Domain {
    /// Parses a domain name, ASCII or internationalised (IDNA 2008 by UTS 46). Address literals are not domains,
    /// and neither is anything with an underscore, a trailing dot or a top-level label of digits alone.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        if is_canonical_ascii(text) {
            return Ok(Self(text.to_owned()));
        }
        if text.len() > MAX_DOMAIN_TEXT || text.chars().any(is_invisible) {
            return Err(AddressError::Domain);
        }
        // "ab--cd.example" exists in the world although IDNA reserves the hyphens: only the label's ends are checked.
        let ascii = Uts46::new()
            .to_ascii(text.as_bytes(), AsciiDenyList::STD3, Hyphens::CheckFirstLast, DnsLength::Verify)
            .map_err(|_| AddressError::Domain)?;
        if !has_valid_labels(&ascii) {
            return Err(AddressError::Domain);
        }
        Ok(Self(ascii.into_owned()))
    }

    /// The canonical ASCII form, for DNS and comparison.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The form for people: U-labels where the name has them.
    pub fn to_unicode(&self) -> String {
        match idna::domain_to_unicode(&self.0) {
            (unicode, Ok(())) => unicode,
            _ => self.0.clone(),
        }
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Domain {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Domain {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        if is_canonical_ascii(&text) { Ok(Self(text)) } else { Self::parse(&text) }
    }
}

/// The part before the `@`, unquoted and unescaped, in the case it was written: never empty, at most 64 octets,
/// free of control characters.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct LocalPart(String);

impl LocalPart {
    /// Parses a `Local-part`: a dot-string or a quoted string (RFC 5321 4.1.2, RFC 6531 3.3).
    ///
    /// The empty quoted string, which the grammar knows and nobody has, is refused.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        match text.strip_prefix('"') {
            Some(rest) => Self::from_unquoted(&unquote(rest)?),
            None if is_dot_string(text) => Self::from_unquoted(text),
            None => Err(AddressError::LocalPart),
        }
    }

    /// Takes the text as it is, without quotes or backslashes; quotes are added where they are needed on the wire.
    pub fn from_unquoted(text: &str) -> Result<Self, AddressError> {
        if text.is_empty() || text.len() > MAX_LOCAL_PART || text.chars().any(is_forbidden) {
            return Err(AddressError::LocalPart);
        }
        Ok(Self(text.to_owned()))
    }

    /// The unquoted text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Splits `alice+shop` into `alice` and `shop` at the first plus; a plus that comes first is no separator.
    pub fn split_tag(&self) -> (&str, Option<&str>) {
        match self.0.split_once('+') {
            Some((base, tag)) if !base.is_empty() => (base, Some(tag)),
            _ => (&self.0, None),
        }
    }

    /// The key under which two spellings meet: Unicode lower case in NFC.
    pub fn key(&self) -> String {
        fold(&self.0)
    }
}

impl fmt::Display for LocalPart {
    /// The wire form: a dot-string where possible, else a quoted string.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if is_dot_string(&self.0) {
            return f.write_str(&self.0);
        }
        f.write_str("\"")?;
        for character in self.0.chars() {
            if matches!(character, '"' | '\\') {
                f.write_str("\\")?;
            }
            write!(f, "{character}")?;
        }
        f.write_str("\"")
    }
}

impl TryFrom<String> for LocalPart {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::from_unquoted(&text)
    }
}

/// A mailbox address `local-part@domain` (RFC 5321 `Mailbox`). Serialised as its wire form.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Address {
    local: LocalPart,
    domain: Domain,
}

impl Address {
    /// Puts an address together.
    pub fn new(local: LocalPart, domain: Domain) -> Self {
        Self { local, domain }
    }

    /// Parses `local-part@domain` without angle brackets or source routes.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (local, domain) = text.rsplit_once('@').ok_or(AddressError::Shape)?;
        if local.is_empty() || domain.is_empty() {
            return Err(AddressError::Shape);
        }
        Ok(Self { local: LocalPart::parse(local)?, domain: Domain::parse(domain)? })
    }

    /// The same domain with another local part.
    pub fn with_local(&self, local: LocalPart) -> Self {
        Self { local, domain: self.domain.clone() }
    }

    /// The part before the `@`.
    pub fn local(&self) -> &LocalPart {
        &self.local
    }

    /// The part behind the `@`.
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// The key under which two spellings of one address meet: local part in Unicode lower case and NFC,
    /// canonical domain.
    pub fn key(&self) -> String {
        format!("{}@{}", self.local.key(), self.domain.0)
    }

    /// The form for people: the domain with its U-labels.
    pub fn to_unicode(&self) -> String {
        format!("{}@{}", self.local, self.domain.to_unicode())
    }

    /// True when the local part has a character outside ASCII, so that only an SMTPUTF8 path can carry it.
    pub fn needs_smtputf8(&self) -> bool {
        !self.local.0.is_ascii()
    }
}

impl fmt::Display for Address {
    /// The wire form, quoted where it must be, with the domain as A-labels.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.local, self.domain.0)
    }
}

impl FromStr for Address {
    type Err = AddressError;
    fn from_str(text: &str) -> Result<Self, AddressError> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;
    fn try_from(text: String) -> Result<Self, AddressError> {
        Self::parse(&text)
    }
}

impl From<Address> for String {
    fn from(address: Address) -> Self {
        address.to_string()
    }
}

/// Where non-delivery is told: an address, or `None` for the null reverse-path `<>`.
pub type ReversePath = Option<Address>;

/// Lower case in NFC, with the two small sigmas as one, so that it doesn't matter how a name was typed.
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() {
        return text.to_ascii_lowercase();
    }
    let lower: String = text.chars().flat_map(char::to_lowercase).map(|c| if c == 'ς' { 'σ' } else { c }).collect();
    ComposingNormalizerBorrowed::new_nfc().normalize(&lower).into_owned()
}

/// A name that needs no IDNA processing because it is its own result; names with `xn--` never are.
fn is_canonical_ascii(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'.');
    text.bytes().all(plain) && !text.split('.').any(|label| label.starts_with("xn--")) && has_valid_labels(text)
}

fn has_valid_labels(ascii: &str) -> bool {
    let valid =
        |label: &str| !label.is_empty() && label.len() <= MAX_LABEL && !label.starts_with('-') && !label.ends_with('-');
    let numeric_top = ascii.rsplit('.').next().is_none_or(|top| top.bytes().all(|byte| byte.is_ascii_digit()));
    ascii.len() <= MAX_DOMAIN && ascii.split('.').all(valid) && !numeric_top
}

fn is_dot_string(text: &str) -> bool {
    let atext = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~".contains(c) || !c.is_ascii();
    text.split('.').all(|atom| !atom.is_empty() && atom.chars().all(atext))
}

/// Takes the content of a quoted string behind its first quote, up to the last one, which must end the text.
fn unquote(text: &str) -> Result<String, AddressError> {
    let mut content = String::with_capacity(text.len().min(2 * MAX_LOCAL_PART));
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        if content.len() > MAX_LOCAL_PART {
            return Err(AddressError::LocalPart);
        }
        match character {
            '"' if characters.as_str().is_empty() => return Ok(content),
            '"' => return Err(AddressError::LocalPart),
            // RFC 5321's quoted-pair reaches only to printable ASCII.
            '\\' => match characters.next() {
                Some(escaped @ ' '..='~') => content.push(escaped),
                _ => return Err(AddressError::LocalPart),
            },
            other => content.push(other),
        }
    }
    Err(AddressError::LocalPart)
}

/// Control characters, and those that break or turn round the line in which the address is shown, or make two
/// addresses look alike.
fn is_forbidden(character: char) -> bool {
    character.is_control() || is_invisible(character)
}

/// Characters that UTS 46 drops without a word, so that two names that look alike would become one. The joiners
/// U+200C and U+200D, which some scripts need, are left to IDNA's own rules.
fn is_invisible(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{ffa0}'
        | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn addresses_are_printed_in_their_wire_form() {
        for (text, printed) in [
            ("alice@home.test", "alice@home.test"),
            ("Alice@HOME.Test", "Alice@home.test"),
            ("root@localhost", "root@localhost"),
            ("a%b!c@home.test", "a%b!c@home.test"),
            ("\"alice\"@home.test", "alice@home.test"),
            ("\"a\\lice\"@home.test", "alice@home.test"),
            ("\"alice smith\"@home.test", "\"alice smith\"@home.test"),
            ("\"a@b\"@home.test", "\"a@b\"@home.test"),
            ("\"a\\\"b\\\\\"@home.test", "\"a\\\"b\\\\\"@home.test"),
            ("\".a..b.\"@home.test", "\".a..b.\"@home.test"),
            ("jörg@bücher.test", "jörg@xn--bcher-kva.test"),
            ("用户@例子.test", "用户@xn--fsqu00a.test"),
            ("bob@xn--bcher-kva.test", "bob@xn--bcher-kva.test"),
            ("bob@ab--cd.test", "bob@ab--cd.test"),
            ("bob@1und1.test", "bob@1und1.test"),
        ] {
            assert_eq!(Address::parse(text).map(|a| a.to_string()), Ok(printed.to_owned()), "{text}");
        }
    }

    #[test]
    fn what_is_not_an_address_is_refused_with_the_part_that_is_wrong() {
        let long_local = format!("{}@home.test", "a".repeat(65));
        let long_label = format!("a@{}.test", "b".repeat(64));
        let long_domain = format!("a@{}test", "abcdefgh.".repeat(28));
        let huge_idn = format!("a@{}.test", "ü".repeat(100_000));
        use AddressError::{Domain, LocalPart, Shape};
        for (text, error) in [
            ("", Shape),
            ("alice", Shape),
            ("@home.test", Shape),
            ("alice@", Shape),
            ("alice smith@home.test", LocalPart),
            (".alice@home.test", LocalPart),
            ("alice.@home.test", LocalPart),
            ("al..ice@home.test", LocalPart),
            ("alice@home@home.test", LocalPart),
            ("<alice@home.test", LocalPart),
            ("\"alice@home.test", LocalPart),
            ("\"ali\"ce\"@home.test", LocalPart),
            ("\"alice\\\"@home.test", LocalPart),
            ("\"\"@home.test", LocalPart),
            ("\"a\r\nb\"@home.test", LocalPart),
            ("\"a\\\r\"@home.test", LocalPart),
            ("a\0b@home.test", LocalPart),
            ("a\u{85}b@home.test", LocalPart),
            ("a\u{202e}b@home.test", LocalPart),
            ("ali\u{200b}ce@home.test", LocalPart),
            (&long_local, LocalPart),
            ("alice@home.test.", Domain),
            ("alice@.home.test", Domain),
            ("alice@home..test", Domain),
            ("alice@-home.test", Domain),
            ("alice@home-.test", Domain),
            ("alice@ho_me.test", Domain),
            ("alice@home.123", Domain),
            ("alice@192.0.2.1", Domain),
            ("alice@[192.0.2.1]", Domain),
            ("alice@[IPv6:::1]", Domain),
            ("alice@home test", Domain),
            ("alice@home.test\r\n", Domain),
            ("alice@home.test>", Domain),
            ("alice@ho\u{ad}me.test", Domain),
            ("alice@xn--zzzzzzzzzzzz.test", Domain),
            (&long_label, Domain),
            (&long_domain, Domain),
            (&huge_idn, Domain),
        ] {
            assert_eq!(Address::parse(text), Err(error), "{text:?}");
        }
    }

    #[test]
    fn spellings_of_one_address_share_a_key() {
        let key = |text: &str| Address::parse(text).unwrap().key();
        for (one, other) in [
            ("Alice@Home.Test", "\"alice\"@home.test"),
            ("JÖRG@BÜCHER.test", "jörg@xn--bcher-kva.test"),
            ("jo\u{308}rg@home.test", "jörg@home.test"),
            ("ΟΔΟΣ@home.test", "οδος@home.test"),
        ] {
            assert_eq!(key(one), key(other), "{one} {other}");
        }
        assert_ne!(key("alice@home.test"), key("alice+x@home.test"));
    }

    #[test]
    fn people_see_the_unicode_form() {
        let address = Address::parse("bob@xn--bcher-kva.test").unwrap();
        assert_eq!(address.to_unicode(), "bob@bücher.test");
        assert!(!address.needs_smtputf8());
        assert!(Address::parse("jörg@home.test").unwrap().needs_smtputf8());
    }

    #[test]
    fn a_tag_is_split_off_at_the_first_plus() {
        for (text, parts) in [
            ("alice", ("alice", None)),
            ("alice+shop", ("alice", Some("shop"))),
            ("alice+a+b", ("alice", Some("a+b"))),
            ("alice+", ("alice", Some(""))),
            ("+alice", ("+alice", None)),
        ] {
            assert_eq!(LocalPart::parse(text).unwrap().split_tag(), parts);
        }
        let other = Address::parse("alice+shop@home.test").unwrap();
        assert_eq!(other.with_local(LocalPart::parse("bob").unwrap()).to_string(), "bob@home.test");
    }

    #[test]
    fn stored_addresses_are_strings_and_are_checked_on_reading() {
        let address = Address::parse("\"a b\"@bücher.test").unwrap();
        let bytes = postcard::to_stdvec(&address).unwrap();
        assert_eq!(bytes, postcard::to_stdvec("\"a b\"@xn--bcher-kva.test").unwrap());
        assert_eq!(postcard::from_bytes::<Address>(&bytes), Ok(address));
        for bad in ["alice", "a\rb@home.test", "alice@home_.test"] {
            assert!(postcard::from_bytes::<Address>(&postcard::to_stdvec(bad).unwrap()).is_err());
        }
        assert!(postcard::from_bytes::<Domain>(&postcard::to_stdvec("a..b").unwrap()).is_err());
        assert!(postcard::from_bytes::<LocalPart>(&postcard::to_stdvec("a\nb").unwrap()).is_err());
    }

    proptest! {
        #[test]
        fn printing_and_parsing_are_inverse(local in any::<String>(), domain in "[a-z0-9äéж-]{1,12}\\.[a-zß]{2,5}") {
            if let (Ok(local), Ok(domain)) = (LocalPart::from_unquoted(&local), Domain::parse(&domain)) {
                let address = Address::new(local, domain);
                prop_assert_eq!(Address::parse(&address.to_string()), Ok(address.clone()));
                prop_assert_eq!(Address::parse(&address.to_unicode()).map(|a| a.key()), Ok(address.key()));
            }
        }

        #[test]
        fn parsing_any_text_gives_a_clean_canonical_value(text in "\\PC{0,40}@\\PC{1,40}") {
            if let Ok(address) = Address::parse(&text) {
                let again = Address::parse(&address.to_string());
                prop_assert_eq!(again, Ok(address.clone()));
                prop_assert!(!address.to_string().chars().any(char::is_control));
                prop_assert_eq!(fold(&address.key()), address.key());
            }
        }
    }
}
