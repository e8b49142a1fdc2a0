//! One question to a time server, and how far we are off by its answer (RFC 4330).

use std::io;

use jiff::{SignedDuration, Timestamp};

/// Bytes of a question, and of the part of an answer that matters.
pub(super) const LENGTH: usize = 48;
/// From 1900, where these times begin, to 1970.
const BEFORE_1970: i64 = 2_208_988_800;

/// A question. The cookie stands for the time it is sent at, which is nobody's business; the answer brings it back.
pub(super) fn question(cookie: [u8; 8]) -> [u8; LENGTH] {
    let mut packet = [0; LENGTH];
    packet[0] = 0b00_100_011; // version 4, mode 3: a client's
    packet[40..].copy_from_slice(&cookie);
    packet
}

/// How far we are behind, by an answer that came at `received` to what was sent at `sent`.
///
/// # Errors
/// It is no answer to that question, or the server does not know the time itself.
pub(super) fn behind(
    answer: &[u8],
    cookie: [u8; 8],
    sent: Timestamp,
    received: Timestamp,
) -> io::Result<SignedDuration> {
    let unusable = |why: &str| io::Error::new(io::ErrorKind::InvalidData, why.to_owned());
    let part = |at: usize| answer.get(at..at + 8).and_then(|bytes| <[u8; 8]>::try_from(bytes).ok());
    let (Some(&[flags, stratum]), Some(origin), Some(taken), Some(given)) =
        (answer.first_chunk(), part(24), part(32), part(40))
    else {
        return Err(unusable("the answer is too short"));
    };
    if origin != cookie || flags & 0b111 != 4 {
        return Err(unusable("that is no answer to our question"));
    }
    if flags >> 6 == 3 || !(1..16).contains(&stratum) || given == [0; 8] {
        return Err(unusable("the time server does not know the time"));
    }
    let there = time(taken).duration_since(sent);
    let back = time(given).duration_since(received);
    Ok((there + back) / 2)
}

/// Seconds since 1900 and their fractions; numbers below 1970's begin anew in 2036 (RFC 4330 3).
fn time(bytes: [u8; 8]) -> Timestamp {
    let [a, b, c, d, e, f, g, h] = bytes;
    let seconds = i64::from(u32::from_be_bytes([a, b, c, d])) - BEFORE_1970;
    let seconds = if seconds < 0 { seconds + (1 << 32) } else { seconds };
    let nanoseconds = (u64::from(u32::from_be_bytes([e, f, g, h])) * 1_000_000_000) >> 32;
    Timestamp::new(seconds, nanoseconds as i32).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const COOKIE: [u8; 8] = *b"mycookie";

    fn answer(flags: u8, stratum: u8, taken: i64, given: i64) -> Vec<u8> {
        let mut packet = vec![0; LENGTH];
        (packet[0], packet[1]) = (flags, stratum);
        packet[24..32].copy_from_slice(&COOKIE);
        for (at, seconds) in [(32, taken), (40, given)] {
            let count = u32::try_from((seconds + BEFORE_1970) % (1 << 32)).unwrap();
            packet[at..at + 4].copy_from_slice(&count.to_be_bytes());
        }
        packet
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(seconds).unwrap()
    }

    #[test]
    fn the_way_there_and_back_does_not_count() {
        let said = answer(0b00_100_100, 2, 1_000_000_102, 1_000_000_102);
        let off = behind(&said, COOKIE, at(1_000_000_000), at(1_000_000_004)).unwrap();
        assert_eq!(off, SignedDuration::from_secs(100));
        let said = answer(0b00_100_100, 1, 999_999_000, 999_999_000);
        let off = behind(&said, COOKIE, at(1_000_000_000), at(1_000_000_000)).unwrap();
        assert_eq!(off, SignedDuration::from_secs(-1000));
    }

    #[test]
    fn after_2036_the_count_begins_anew() {
        let then = 2_100_000_000;
        let said = answer(0b00_100_100, 1, then, then);
        assert_eq!(behind(&said, COOKIE, at(then), at(then)).unwrap(), SignedDuration::ZERO);
    }

    #[test]
    fn what_is_no_answer_or_does_not_know_the_time_is_not_believed() {
        let now = at(1_000_000_000);
        let wrong = |said: &[u8]| behind(said, COOKIE, now, now).unwrap_err().to_string();
        assert_eq!(wrong(&[0; 47]), "the answer is too short");
        assert_eq!(wrong(&answer(0b00_100_011, 1, 1, 1)), "that is no answer to our question");
        let mut strange = answer(0b00_100_100, 1, 1_000_000_000, 1_000_000_000);
        strange[24] = 0;
        assert_eq!(wrong(&strange), "that is no answer to our question");
        for ignorant in [answer(0b11_100_100, 1, 5, 5), answer(0b00_100_100, 0, 5, 5), answer(0b00_100_100, 16, 5, 5)] {
            assert_eq!(wrong(&ignorant), "the time server does not know the time");
        }
    }
}
