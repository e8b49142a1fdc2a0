//! Dates as IMAP writes them (RFC 3501 `date`, `date-time`), and the date of a letter.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use mailstead_store::Timestamp;

use super::SyntaxError;
use super::cursor::Cursor;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// `date`, quoted or not.
pub(crate) fn date(cursor: &mut Cursor<'_>) -> Result<Date, SyntaxError> {
    let wrong = cursor.expected("a date like 1-Feb-1994");
    let quoted = cursor.eat(b'"');
    let text = cursor.run(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    if quoted && !cursor.eat(b'"') {
        return Err(wrong);
    }
    std::str::from_utf8(text).ok().and_then(|text| day(text, 1)).ok_or(wrong)
}

/// `date-time`, with its quotes.
pub(crate) fn date_time(cursor: &mut Cursor<'_>) -> Result<Timestamp, SyntaxError> {
    let wrong = cursor.expected("a date and time like \"17-Jul-1996 02:44:25 -0700\"");
    let text = cursor.string()?;
    let text = std::str::from_utf8(&text).map_err(|_| wrong.clone())?;
    moment(text).ok_or(wrong)
}

fn moment(text: &str) -> Option<Timestamp> {
    let mut words = text.trim_start().split(' ');
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    if words.next().is_some() {
        return None;
    }
    let date = day(date, 1)?;
    let mut parts = time.split(':').map(|part| if part.len() == 2 { digits(part) } else { None });
    let (hour, minute, second) = (parts.next()??, parts.next()??, parts.next()??);
    if parts.next().is_some() || second > 60 {
        return None;
    }
    let time = DateTime::new(
        date.year(),
        date.month(),
        date.day(),
        narrow(hour)?,
        narrow(minute)?,
        narrow(second.min(59))?,
        0,
    );
    let utc = time.ok()?.to_zoned(TimeZone::UTC).ok()?.timestamp().as_second();
    Some(Timestamp(utc - offset(zone)?))
}

/// `+hhmm` in seconds east.
fn offset(zone: &str) -> Option<i64> {
    let sign = match zone.as_bytes().first()? {
        b'+' => 1,
        b'-' => -1,
        _ => return None,
    };
    let number = zone.get(1..).filter(|rest| rest.len() == 4).and_then(digits)?;
    let (hours, minutes) = (number / 100, number % 100);
    (hours < 24 && minutes < 60).then(|| sign * i64::from(hours * 3600 + minutes * 60))
}

/// `d-Mon-yyyy`.
fn day(text: &str, shortest_day: usize) -> Option<Date> {
    let mut parts = text.split('-');
    let (day, month, year) = (parts.next()?, parts.next()?, parts.next()?);
    let shape = parts.next().is_none() && (shortest_day..=2).contains(&day.len()) && year.len() == 4;
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))?;
    shape.then_some(())?;
    Date::new(i16::try_from(digits(year)?).ok()?, i8::try_from(month + 1).ok()?, narrow(digits(day)?)?).ok()
}

fn digits(text: &str) -> Option<u32> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?
}

fn narrow(number: u32) -> Option<i8> {
    i8::try_from(number).ok()
}

/// Writes INTERNALDATE, in UTC: the store keeps moments, not zones.
pub(crate) fn write_date_time(moment: Timestamp, out: &mut Vec<u8>) {
    let time = utc(moment);
    let month = usize::try_from(time.month() - 1).ok().and_then(|index| MONTHS.get(index)).copied().unwrap_or("Jan");
    let text = format!(
        "\"{:02}-{month}-{:04} {:02}:{:02}:{:02} +0000\"",
        time.day(),
        time.year(),
        time.hour(),
        time.minute(),
        time.second()
    );
    out.extend_from_slice(text.as_bytes());
}

/// The day of a moment, in UTC.
pub(crate) fn day_of(moment: Timestamp) -> Date {
    utc(moment).date()
}

fn utc(moment: Timestamp) -> DateTime {
    // Years outside 0 to 9999 can't be written; nobody has mail from them.
    let moment = moment.0.clamp(-62_167_219_200, 253_402_207_200);
    jiff::Timestamp::from_second(moment).unwrap_or_default().to_zoned(TimeZone::UTC).datetime()
}

/// The day a letter's `Date` field names, zone and time disregarded (RFC 3501 `SENTON`). Forgiving: the first
/// day, month and year found in that order count.
pub(crate) fn day_of_letter(field: &[u8]) -> Option<Date> {
    let text = String::from_utf8_lossy(field.get(..field.len().min(200))?);
    let words: Vec<&str> = text.split([' ', '\t', ',', '-']).filter(|word| !word.is_empty()).collect();
    words.windows(3).find_map(|window| {
        let [day, month, year] = window else { return None };
        let month =
            MONTHS.iter().position(|name| month.get(..3).is_some_and(|head| head.eq_ignore_ascii_case(name)))?;
        let year = match (digits(year)?, year.len()) {
            (year, 4) => year,
            // RFC 5322 4.3: two digits under 50 are of this century.
            (year, 2) => year + if year < 50 { 2000 } else { 1900 },
            (year, 3) => year + 1900,
            _ => return None,
        };
        Date::new(i16::try_from(year).ok()?, i8::try_from(month + 1).ok()?, narrow(digits(day)?)?).ok()
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use proptest::prelude::*;

    use super::*;

    fn read(text: &str) -> Result<Timestamp, SyntaxError> {
        date_time(&mut Cursor::new(text.as_bytes()))
    }

    fn written(moment: Timestamp) -> String {
        let mut out = Vec::new();
        write_date_time(moment, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn moments_are_read_in_their_zone() {
        assert_eq!(read("\"17-Jul-1996 02:44:25 -0700\"").unwrap(), Timestamp(837_596_665));
        assert_eq!(read("\" 1-jan-1970 01:00:00 +0100\"").unwrap(), Timestamp(0));
        assert_eq!(read("\"31-Dec-2016 23:59:60 +0000\"").unwrap(), Timestamp(1_483_228_799), "a leap second");
        assert_eq!(written(Timestamp(837_596_665)), "\"17-Jul-1996 09:44:25 +0000\"");
        assert_eq!(written(Timestamp(0)), "\"01-Jan-1970 00:00:00 +0000\"");
        assert_eq!(written(Timestamp(i64::MAX)).len(), 28);
        assert_eq!(written(Timestamp(i64::MIN)).len(), 28);
    }

    #[test]
    fn what_is_no_moment_is_refused() {
        for text in [
            "\"\"",
            "\"32-Jan-2026 00:00:00 +0000\"",
            "\"29-Feb-2025 00:00:00 +0000\"",
            "\"1-Foo-2026 00:00:00 +0000\"",
            "\"1-Jan-2026 24:00:00 +0000\"",
            "\"1-Jan-2026 0:0:0 +0000\"",
            "\"1-Jan-2026 00:00:00\"",
            "\"1-Jan-2026 00:00:00 UTC\"",
            "\"1-Jan-2026 00:00:00 +2500\"",
            "\"1-Jan-2026 00:00:00 +0000 x\"",
            "17-Jul-1996",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn days_are_read_quoted_or_not() {
        for text in ["1-Feb-1994", "\"1-Feb-1994\"", "01-FEB-1994"] {
            let day = date(&mut Cursor::new(text.as_bytes())).unwrap();
            assert_eq!(day, jiff::civil::date(1994, 2, 1));
        }
        for text in ["32-Jan-2026", "1-Jan-26", "1 Jan 2026", "\"1-Jan-2026", "Jan-1-2026", ""] {
            assert!(date(&mut Cursor::new(text.as_bytes())).is_err(), "{text}");
        }
    }

    #[test]
    fn a_letters_day_is_found_in_what_people_send() {
        let day = jiff::civil::date(2003, 7, 1);
        for field in [
            "Tue, 1 Jul 2003 10:52:37 +0200",
            "1 Jul 03 10:52 EDT",
            "01-Jul-2003",
            "Tuesday,  1  July 2003",
            "1 Jul 103 1:2",
        ] {
            assert_eq!(day_of_letter(field.as_bytes()), Some(day), "{field}");
        }
        for field in ["", "yesterday", "99 Jul 2003", "Jul 1 2003"] {
            assert_eq!(day_of_letter(field.as_bytes()), None, "{field}");
        }
    }

    proptest! {
        #[test]
        fn moments_come_back(second in -60_000_000_000_i64..250_000_000_000) {
            prop_assert_eq!(read(&written(Timestamp(second))).unwrap(), Timestamp(second));
        }

        #[test]
        fn rubbish_never_panics(field in proptest::collection::vec(any::<u8>(), 0..60)) {
            let _ = day_of_letter(&field);
            let _ = date_time(&mut Cursor::new(&field));
        }
    }
}
