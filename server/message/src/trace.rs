//! The name under which one message's whole life is told.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// The id of one message from its first byte to its last delivery: 13 characters of lower-case base32,
/// that sort by time (seconds); the last 24 bits are random.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TraceId(u64);

const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl TraceId {
    /// Makes an id from the time and the lowest 24 of the random bits.
    pub fn new(unix_seconds: u64, random: u32) -> Self {
        Self((unix_seconds & 0xff_ffff_ffff) << 24 | u64::from(random & 0xff_ffff))
    }

    /// The number behind the id; sorts by time.
    pub fn to_u64(self) -> u64 {
        self.0
    }

    /// The time in it, in seconds since 1970.
    pub fn seconds(self) -> i64 {
        i64::try_from(self.0 >> 24).unwrap_or(i64::MAX)
    }

    /// The id of a number got from [`Self::to_u64`].
    pub fn from_u64(number: u64) -> Self {
        Self(number)
    }
}

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for index in (0..13).rev() {
            let digit = ((self.0 >> (index * 5)) & 31) as usize;
            let letter = ALPHABET.get(digit).copied().unwrap_or(b'0');
            write!(f, "{}", char::from(letter))?;
        }
        Ok(())
    }
}

impl FromStr for TraceId {
    type Err = InvalidTraceId;

    fn from_str(text: &str) -> Result<Self, InvalidTraceId> {
        if text.len() != 13 {
            return Err(InvalidTraceId);
        }
        let mut number: u64 = 0;
        for byte in text.bytes() {
            let lower = byte.to_ascii_lowercase();
            let digit = ALPHABET.iter().position(|letter| *letter == lower).ok_or(InvalidTraceId)?;
            number = number.checked_mul(32).ok_or(InvalidTraceId)? | digit as u64;
        }
        Ok(Self(number))
    }
}

/// The text is not a trace id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a trace id has 13 letters and digits")]
pub struct InvalidTraceId;

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn ids_are_read_back_and_sort_by_time() {
        let early = TraceId::new(1_795_535_230, u32::MAX);
        let late = TraceId::new(1_795_535_231, 0);
        assert!(early < late && early.to_string() < late.to_string());
        for id in [early, late, TraceId::from_u64(0), TraceId::from_u64(u64::MAX)] {
            assert_eq!(id.to_string().parse(), Ok(id));
            assert_eq!(id.to_string().to_uppercase().parse(), Ok(id));
        }
    }

    #[test]
    fn other_texts_are_no_ids() {
        for text in ["", "123", "00000000000001", "zzzzzzzzzzzzz", "000000000000u", "00000000000\u{e9}"] {
            assert_eq!(text.parse::<TraceId>(), Err(InvalidTraceId), "{text}");
        }
    }
}
