//! Numbers and times in words.

use jiff::SignedDuration;

/// "3.4 GB", in the powers of 1000 that disks are sold in.
pub(super) fn bytes(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    let mut value = bytes as f64 / 1000.0;
    if bytes < 1000 {
        return format!("{bytes} bytes");
    }
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let name = units.get(unit).copied().unwrap_or_default();
    if value < 9.95 { format!("{value:.1} {name}") } else { format!("{value:.0} {name}") }
}

/// "3 hours": the largest whole unit. Never less than a second.
pub(super) fn span(span: SignedDuration) -> String {
    let seconds = span.as_secs().unsigned_abs();
    let (count, unit) = match seconds {
        0..120 => (seconds.max(1), "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        _ => (seconds / 86_400, "day"),
    };
    number(count as usize, unit)
}

/// "1 letter", "2 letters".
pub(super) fn number(count: usize, thing: &str) -> String {
    if count == 1 { format!("1 {thing}") } else { format!("{count} {thing}s") }
}

/// "a, b and c".
pub(super) fn list<T: ToString>(things: &[T]) -> String {
    let words: Vec<String> = things.iter().map(ToString::to_string).collect();
    match words.as_slice() {
        [] => String::new(),
        [only] => only.clone(),
        [most @ .., last] => format!("{} and {last}", most.join(", ")),
    }
}

/// What a stranger said: on one line, without control characters, and not too long.
pub(super) fn quoted(text: &str) -> String {
    const LONGEST: usize = 160;
    let plain: String = text.trim().chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST + 1).collect();
    match plain.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("“{}…”", plain.get(..end).unwrap_or_default()),
        None => format!("“{plain}”"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_and_times_are_told_in_one_round_number() {
        for (count, words) in
            [(0, "0 bytes"), (999, "999 bytes"), (1_000, "1.0 kB"), (999_600, "1.0 MB"), (26_843_545_600, "27 GB")]
        {
            assert_eq!(bytes(count), words);
        }
        for (seconds, words) in
            [(0, "1 second"), (-61, "61 seconds"), (180, "3 minutes"), (7_200, "2 hours"), (200_000, "2 days")]
        {
            assert_eq!(span(SignedDuration::from_secs(seconds)), words);
        }
    }

    #[test]
    fn what_strangers_say_stays_on_one_line_and_short() {
        assert_eq!(quoted(" 550 no\r\nthanks\u{7}"), "“550 no  thanks ”");
        assert_eq!(quoted(&"ü".repeat(500)).chars().count(), 163);
    }
}
