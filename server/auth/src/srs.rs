//! Reverse-paths of our own for letters that are sent on (SRS): the server that takes them asks SPF whether we may
//! speak for the domain of the reverse-path, and reports come back to us, to be handed to the original sender.
//!
//! `bob@world.test`, sent on for home.test, becomes `SRS0=hash=day=world.test=bob@home.test`; what another forwarder has
//! rewritten before becomes `SRS1=hash=forwarder==rest@home.test`, so that reports take one step back, not all of them.
//! The hash keeps strangers from using us as a relay; the day lets each address die. Nothing needs to be remembered.
//!
//! Only an `SRS0` address has a day. What an `SRS1` address stands for is an `SRS0` address of another forwarder, with a
//! day of theirs in it: they refuse a report that comes too late, however long we pass such reports on, and we need not
//! understand their text, which may be written in another way. The paper wants it so, for each octet counts in a local
//! part of 64. What a stranger gains who keeps an `SRS1` address of ours is the way to that one address, nobody else's.
//!
//! The scheme is Meng Weng Wong's, as Shevek's paper has it ("Mail Forwarding with the Sender Rewriting Scheme", 2004;
//! Mail::SRS, libsrs2), with HMAC-SHA256 in base32: neither mangled by servers that change the case of local parts.

use aws_lc_rs::hmac;
use mailstead_message::{Address, Domain, LocalPart};

/// Days for which reports come back: longer than any queue holds a letter.
pub const VALID_DAYS: i64 = 21;
/// Seconds of a day.
const DAY: i64 = 24 * 60 * 60;
/// Days are counted modulo this: what two characters can say.
const DAYS: i64 = 1 << 10;
/// Characters of a hash: 30 bits, each guess of which costs a refused recipient.
const HASH: usize = 6;
/// Letters of a token: 80 bits.
const TOKEN: usize = 16;
/// RFC 4648 6, in lower case.
const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// Why an address is no reverse-path of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SrsError {
    /// It has another shape altogether.
    #[error("the address is no rewritten one")]
    Ordinary,
    /// It is not of our making, or was changed.
    #[error("the address was never given out here")]
    Forged,
    /// It was, but too long ago.
    #[error("the address has expired")]
    Expired,
}

/// Makes and reads reverse-paths.
pub struct Srs {
    key: hmac::Key,
}

impl Srs {
    /// With that secret.
    pub fn new(secret: &[u8]) -> Self {
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, secret) }
    }

    /// The address in our domain that stands for a sender; `None` when it gets longer than an address may be.
    pub fn forward(&self, sender: &Address, domain: &Domain, now: i64) -> Option<Address> {
        let local = sender.local().as_str();
        let text = match rewritten(local) {
            // Ours or another's first rewriting: the forwarder's own hash travels along.
            Some((Step::First, rest)) => self.second(sender.domain().as_str(), rest),
            // A second one keeps its forwarder, of whom only the latest hash is checked.
            Some((Step::Second, rest)) => {
                let (_, said) = rest.get(1..)?.split_once('=')?;
                let (forwarder, rest) = said.split_once('=')?;
                self.second(forwarder, rest)
            }
            None => {
                let said = format!("{}={}={local}", day_name(now), sender.domain());
                format!("SRS0={}={said}", self.hash(&said))
            }
        };
        Some(Address::new(LocalPart::from_unquoted(&text).ok()?, domain.clone()))
    }

    /// The sender an address of ours stands for.
    ///
    /// # Errors
    /// It stands for nobody.
    pub fn reverse(&self, address: &Address, now: i64) -> Result<Address, SrsError> {
        let (step, rest) = rewritten(address.local().as_str()).ok_or(SrsError::Ordinary)?;
        let (hash, said) = rest.get(1..).and_then(|rest| rest.split_once('=')).ok_or(SrsError::Forged)?;
        if !self.is_right(hash, said) {
            return Err(SrsError::Forged);
        }
        let (local, domain) = match step {
            Step::First => {
                let (day, said) = said.split_once('=').ok_or(SrsError::Forged)?;
                let (domain, local) = said.split_once('=').ok_or(SrsError::Forged)?;
                if !is_recent(day, now) {
                    return Err(SrsError::Expired);
                }
                (local.to_owned(), domain)
            }
            // Its day is the first forwarder's to read.
            Step::Second => {
                let (forwarder, rest) = said.split_once('=').ok_or(SrsError::Forged)?;
                (format!("SRS0{rest}"), forwarder)
            }
        };
        let local = LocalPart::from_unquoted(&local).map_err(|_| SrsError::Forged)?;
        Ok(Address::new(local, Domain::parse(domain).map_err(|_| SrsError::Forged)?))
    }

    /// A name for a sender too long for [`Self::forward`], that nobody else can guess.
    pub fn token(&self, sender: &Address) -> String {
        self.letters(&format!("long={}", sender.key()), TOKEN)
    }

    fn second(&self, forwarder: &str, rest: &str) -> String {
        let said = format!("{forwarder}={rest}");
        format!("SRS1={}={said}", self.hash(&said))
    }

    fn hash(&self, said: &str) -> String {
        self.letters(said, HASH)
    }

    /// So many letters of the text's authentication code, at most 24.
    fn letters(&self, said: &str, count: usize) -> String {
        let tag = hmac::sign(&self.key, said.to_lowercase().as_bytes());
        let bits = tag.as_ref().iter().take(16).fold(0_u128, |bits, byte| bits << 8 | u128::from(*byte));
        (1..=count.min(24)).map(|index| letter((bits >> (128 - 5 * index)) as u64)).collect()
    }

    fn is_right(&self, hash: &str, said: &str) -> bool {
        let (ours, theirs) = (self.hash(said), hash.to_ascii_lowercase());
        aws_lc_rs::constant_time::verify_slices_are_equal(ours.as_bytes(), theirs.as_bytes()).is_ok()
    }
}

/// True when an address looks like a rewritten one, whoever made it.
pub fn is_rewritten(address: &Address) -> bool {
    rewritten(address.local().as_str()).is_some()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    First,
    Second,
}

/// What stands behind `SRS0` or `SRS1`, separator included: that of a first step belongs to whoever made it.
fn rewritten(local: &str) -> Option<(Step, &str)> {
    let (name, rest) = local.split_at_checked(4)?;
    let step = match name.to_ascii_uppercase().as_str() {
        "SRS0" => Step::First,
        "SRS1" => Step::Second,
        _ => return None,
    };
    rest.starts_with(separators).then_some((step, rest))
}

/// Others' may have these instead of `=`.
fn separators(character: char) -> bool {
    matches!(character, '=' | '+' | '-')
}

fn letter(bits: u64) -> char {
    BASE32.get((bits & 31) as usize).map_or('a', |byte| char::from(*byte))
}

fn day(now: i64) -> i64 {
    now.div_euclid(DAY).rem_euclid(DAYS)
}

fn day_name(now: i64) -> String {
    let day = day(now).unsigned_abs();
    [letter(day >> 5), letter(day)].iter().collect()
}

fn is_recent(name: &str, now: i64) -> bool {
    let digit = |letter: u8| BASE32.iter().position(|known| *known == letter.to_ascii_lowercase());
    let &[high, low] = name.as_bytes() else { return false };
    let (Some(high), Some(low)) = (digit(high), digit(low)) else { return false };
    let age = (day(now) - (high * 32 + low) as i64).rem_euclid(DAYS);
    // A clock that was set back a little makes tomorrow's addresses.
    age <= VALID_DAYS || age == DAYS - 1
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use proptest::prelude::*;

    use super::*;

    const NOW: i64 = 1_795_535_230;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn home() -> Domain {
        Domain::parse("home.test").unwrap()
    }

    fn srs() -> Srs {
        Srs::new(b"a secret of thirty-two bytes....")
    }

    #[test]
    fn a_report_finds_its_way_back_whatever_case_it_comes_in() {
        let rewritten = srs().forward(&address("bob+x=y@world.test"), &home(), NOW).unwrap();
        let text = rewritten.to_string();
        assert!(text.starts_with("SRS0=") && text.ends_with("=world.test=bob+x=y@home.test"), "{text}");
        for text in [text.clone(), text.to_uppercase(), text.to_lowercase()] {
            let back = srs().reverse(&address(&text), NOW + 20 * DAY).unwrap();
            assert_eq!(back.key(), "bob+x=y@world.test");
        }
    }

    #[test]
    fn strangers_and_the_late_are_refused() {
        let text = srs().forward(&address("bob@world.test"), &home(), NOW).unwrap().to_string();
        let reverse = |text: &str, now| srs().reverse(&address(text), now);
        for (changed, error) in [
            (text.replace("=bob@", "=eve@"), SrsError::Forged),
            (text.replace("world.test", "bank.test"), SrsError::Forged),
            ("SRS0=aaaaaa=aa=world.test=bob@home.test".to_owned(), SrsError::Forged),
            ("SRS0=@home.test".to_owned(), SrsError::Forged),
            ("SRS1=aaaaaa@home.test".to_owned(), SrsError::Forged),
            ("alice@home.test".to_owned(), SrsError::Ordinary),
            ("srs0alice@home.test".to_owned(), SrsError::Ordinary),
        ] {
            assert_eq!(reverse(&changed, NOW), Err(error), "{changed}");
        }
        assert!(reverse(&text, NOW + VALID_DAYS * DAY).is_ok() && reverse(&text, NOW - DAY).is_ok());
        assert_eq!(reverse(&text, NOW + (VALID_DAYS + 1) * DAY), Err(SrsError::Expired));
        assert_eq!(reverse(&text, NOW - 2 * DAY), Err(SrsError::Expired));
        assert_eq!(Srs::new(b"another").reverse(&address(&text), NOW), Err(SrsError::Forged));
    }

    #[test]
    fn reports_go_back_through_those_who_sent_it_on_before() {
        let (ours, theirs) = (srs(), Srs::new(b"theirs"));
        let far = Domain::parse("far.test").unwrap();
        let first = theirs.forward(&address("bob@world.test"), &far, NOW).unwrap();
        let second = ours.forward(&first, &home(), NOW).unwrap();
        assert!(second.to_string().starts_with("SRS1=") && second.to_string().contains("=far.test=="), "{second}");
        assert_eq!(ours.reverse(&second, NOW).unwrap(), first);
        // The first forwarder, who knows its own days, is whom it expires with.
        let late = NOW + (VALID_DAYS + 1) * DAY;
        assert_eq!(ours.reverse(&second, late).unwrap(), first);
        assert_eq!(theirs.reverse(&first, late), Err(SrsError::Expired));
        // A third one does not make it longer, and skips the second.
        let third = Srs::new(b"third");
        let near = Domain::parse("near.test").unwrap();
        let thrice = third.forward(&second, &near, NOW).unwrap();
        assert_eq!(thrice.to_string().len(), second.to_string().len());
        assert_eq!(third.reverse(&thrice, NOW).unwrap(), first);
        for separator in ["+", "-"] {
            let other = address(&format!("SRS0{separator}abcd=ef=world.test=bob@far.test"));
            let second = ours.forward(&other, &home(), NOW).unwrap();
            assert_eq!(ours.reverse(&second, NOW).unwrap(), other);
        }
    }

    #[test]
    fn what_would_be_too_long_for_an_address_is_not_made() {
        let long = address(&format!("{}@amazonses.test", "0".repeat(60)));
        assert_eq!(srs().forward(&long, &home(), NOW), None);
        let token = srs().token(&long);
        assert!(token.len() == TOKEN && token == srs().token(&long), "{token}");
        assert_ne!(token, Srs::new(b"another").token(&long));
    }

    proptest! {
        #[test]
        fn every_sender_comes_back_and_no_garbage_panics(local in "[a-z0-9=+.\"ü-]{1,40}", text in "SRS[01][=+-]?[a-z=2-7+.-]{0,50}") {
            if let (Ok(local), Ok(garbage)) = (LocalPart::from_unquoted(&local), LocalPart::from_unquoted(&text)) {
                let sender = Address::new(local, Domain::parse("w.test").unwrap());
                if let Some(rewritten) = srs().forward(&sender, &home(), NOW) {
                    prop_assert_eq!(srs().reverse(&rewritten, NOW), Ok(sender));
                }
                let garbage = Address::new(garbage, home());
                prop_assert!(srs().reverse(&garbage, NOW).is_err());
                let _ = srs().forward(&garbage, &home(), NOW);
            }
        }
    }
}
