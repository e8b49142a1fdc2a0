//! Macro-strings (RFC 7208 7): domain names with holes for who is calling.

use std::net::IpAddr;

/// Most bytes of a domain name.
const MAX_NAME: usize = 253;
/// A numeric transformer beyond the labels a name can have says the same as one that large.
const MAX_PARTS: usize = 128;

/// A macro-string, read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct MacroString(Vec<Piece>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Macro(Macro),
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Macro {
    letter: char,
    /// Percent-encoded where it is not a plain character.
    escaped: bool,
    /// So many parts from the right; 0 is all.
    parts: usize,
    reversed: bool,
    delimiters: Vec<char>,
}

/// What macros stand for.
#[derive(Debug, Clone)]
pub(super) struct Caller<'a> {
    pub(super) ip: IpAddr,
    pub(super) local: &'a str,
    pub(super) sender_domain: &'a str,
    pub(super) helo: &'a str,
    /// The domain whose record is evaluated.
    pub(super) domain: &'a str,
    /// The client's confirmed name.
    pub(super) validated: &'a str,
}

impl MacroString {
    /// Any macro-string; `None` when it is malformed.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let literal = rest.find('%').unwrap_or(rest.len());
            let (plain, more) = rest.split_at_checked(literal)?;
            if !plain.bytes().all(|byte| byte.is_ascii_graphic()) {
                return None;
            }
            if !plain.is_empty() {
                pieces.push(Piece::Literal(plain.to_owned()));
            }
            rest = match more.as_bytes() {
                [] => "",
                [b'%', b'{', ..] => {
                    let (inner, after) = more.get(2..)?.split_once('}')?;
                    pieces.push(Piece::Macro(Macro::parse(inner)?));
                    after
                }
                [b'%', escape @ (b'%' | b'_' | b'-'), ..] => {
                    let stands_for = match escape {
                        b'%' => "%",
                        b'_' => " ",
                        _ => "%20",
                    };
                    pieces.push(Piece::Literal(stands_for.to_owned()));
                    more.get(2..)?
                }
                _ => return None,
            };
        }
        Some(Self(pieces))
    }

    /// A domain-spec: it ends in a top label or in a macro, and has none of the letters that are for explanations.
    pub(super) fn domain_spec(text: &str) -> Option<Self> {
        let spec = Self::parse(text)?;
        let explains = |piece: &Piece| matches!(piece, Piece::Macro(Macro { letter: 'c' | 'r' | 't', .. }));
        if spec.0.iter().any(explains) {
            return None;
        }
        let ends_well = match spec.0.last()? {
            Piece::Macro(_) => true,
            // `%%`, `%_` and `%-` are macro-expands too.
            Piece::Literal(_) if ["%%", "%_", "%-"].iter().any(|end| text.ends_with(end)) => true,
            Piece::Literal(end) => {
                let (before, top) = end.strip_suffix('.').unwrap_or(end).rsplit_once('.')?;
                is_top_label(top) && (!before.is_empty() || spec.0.len() > 1)
            }
        };
        ends_well.then_some(spec)
    }

    /// True when it can't be expanded without the client's confirmed name.
    pub(super) fn needs_validated(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Macro(Macro { letter: 'p', .. })))
    }

    /// The domain name it stands for, cut at its left to what a name may be (RFC 7208 7.3).
    pub(super) fn domain(&self, caller: &Caller<'_>) -> String {
        let mut name = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => name.push_str(text),
                Piece::Macro(expand) => name.push_str(&expand.expand(caller)),
            }
        }
        let mut name = name.strip_suffix('.').unwrap_or(&name);
        while name.len() > MAX_NAME {
            match name.split_once('.') {
                Some((_, rest)) => name = rest,
                None => return String::new(),
            }
        }
        name.to_owned()
    }
}

/// RFC 7208 7.1, toplabel: not all digits, no hyphen at either end.
fn is_top_label(label: &str) -> bool {
    label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        && !label.is_empty()
        && !label.starts_with('-')
        && !label.ends_with('-')
        && !label.bytes().all(|byte| byte.is_ascii_digit())
}

impl Macro {
    /// What stands between the braces.
    fn parse(inner: &str) -> Option<Self> {
        let mut characters = inner.chars();
        let letter = characters.next()?;
        if !matches!(letter.to_ascii_lowercase(), 's' | 'l' | 'o' | 'd' | 'i' | 'p' | 'h' | 'c' | 'r' | 't' | 'v') {
            return None;
        }
        let rest = characters.as_str();
        let digits = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        let (number, rest) = rest.split_at_checked(digits)?;
        let parts = match number {
            "" => 0,
            number if number.bytes().all(|digit| digit == b'0') => return None,
            number => number.parse().unwrap_or(MAX_PARTS),
        };
        let reversed = rest.starts_with(['r', 'R']);
        let rest = if reversed { rest.get(1..)? } else { rest };
        let delimiters: Vec<char> = rest.chars().collect();
        if !delimiters.iter().all(|c| matches!(c, '.' | '-' | '+' | ',' | '/' | '_' | '=')) {
            return None;
        }
        let delimiters = if delimiters.is_empty() { vec!['.'] } else { delimiters };
        Some(Self {
            letter: letter.to_ascii_lowercase(),
            escaped: letter.is_ascii_uppercase(),
            parts,
            reversed,
            delimiters,
        })
    }

    fn expand(&self, caller: &Caller<'_>) -> String {
        let value = match self.letter {
            's' => format!("{}@{}", caller.local, caller.sender_domain),
            'l' => caller.local.to_owned(),
            'o' => caller.sender_domain.to_owned(),
            'd' => caller.domain.to_owned(),
            'i' => dotted(caller.ip),
            'p' => caller.validated.to_owned(),
            'v' => if caller.ip.is_ipv4() { "in-addr" } else { "ip6" }.to_owned(),
            'h' => caller.helo.to_owned(),
            // Only explanations have others, and they are not expanded here.
            _ => String::new(),
        };
        let mut parts: Vec<&str> = value.split(|c| self.delimiters.contains(&c)).collect();
        if self.reversed {
            parts.reverse();
        }
        let skipped = if self.parts == 0 { 0 } else { parts.len().saturating_sub(self.parts) };
        let value = parts.into_iter().skip(skipped).collect::<Vec<_>>().join(".");
        if self.escaped { percent_encode(&value) } else { value }
    }
}

fn dotted(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("{:032X}", ip.to_bits()).chars().map(String::from).collect::<Vec<_>>().join("."),
    }
}

fn percent_encode(value: &str) -> String {
    let encode = |byte: u8| match byte {
        b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        _ if byte.is_ascii_alphanumeric() => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    value.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn expand(ip: &str, text: &str) -> String {
        let caller = Caller {
            ip: ip.parse().unwrap(),
            local: "strong-bad",
            sender_domain: "email.example.com",
            helo: "mx.example.org",
            domain: "email.example.com",
            validated: "mx.example.org",
        };
        MacroString::parse(text).unwrap().domain(&caller)
    }

    /// RFC 7208 7.4.
    #[test]
    fn the_rfcs_examples_expand_as_it_says() {
        for (text, expected) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d3}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr}", "strong-bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            ("%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com"),
            ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
            ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
            ("%%%_%-x.test", "% %20x.test"),
            ("%{S}.test", "strong-bad%40email.example.com.test"),
        ] {
            assert_eq!(expand("192.0.2.3", text), expected, "{text}");
        }
        assert_eq!(
            expand("2001:db8::cb01", "%{ir}.%{v}._spf.%{d2}"),
            "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com"
        );
    }

    #[test]
    fn names_that_are_too_long_lose_labels_at_their_left() {
        let long = format!("{}example.com", "abcdefghij.".repeat(30));
        let name = expand("192.0.2.3", &long);
        assert!(name.len() <= MAX_NAME && name.ends_with("abcdefghij.example.com") && name.starts_with("abc"));
        assert_eq!(expand("192.0.2.3", &"a".repeat(300)), "");
    }
}
