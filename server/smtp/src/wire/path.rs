//! Paths: what stands between `<` and `>` (RFC 5321 4.1.2, RFC 6531 3.3).

use mailstead_message::{Address, AddressError, Domain, LocalPart};

/// A path is at most this long, brackets included (RFC 5321 4.5.3.1.3); the line limit is wider.
const MAX_PATH: usize = 256;

/// What a path may say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Path {
    /// `<>`
    Null,
    /// `<Postmaster>`, in any case.
    Postmaster,
    /// A mailbox. A source route before it is dropped: it has no say in where mail goes (RFC 5321 F.2).
    Mailbox(Address),
}

/// Why something is not a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum PathError {
    /// No `<…>`, or something else around it.
    Brackets,
    /// `user@[192.0.2.1]`: well-formed, but there is no domain in it that we could know.
    Literal,
    /// The mailbox is malformed.
    Address(AddressError),
}

/// Takes a path from the front; what follows it is returned.
pub(super) fn take(text: &str) -> Result<(Path, &str), PathError> {
    let inner = text.strip_prefix('<').ok_or(PathError::Brackets)?;
    let end = unquoted(inner, '>').ok_or(PathError::Brackets)?;
    let (path, rest) = inner.split_at_checked(end).ok_or(PathError::Brackets)?;
    let rest = rest.strip_prefix('>').ok_or(PathError::Brackets)?;
    if path.len() + 2 > MAX_PATH {
        return Err(PathError::Address(AddressError::Shape));
    }
    let path = parse(path)?;
    // A domain may be longer in ASCII than it was written, and the next server must take it as well.
    if matches!(&path, Path::Mailbox(address) if address.to_string().len() + 2 > MAX_PATH) {
        return Err(PathError::Address(AddressError::Shape));
    }
    Ok((path, rest))
}

fn parse(path: &str) -> Result<Path, PathError> {
    if path.is_empty() {
        return Ok(Path::Null);
    }
    if path.eq_ignore_ascii_case("postmaster") {
        return Ok(Path::Postmaster);
    }
    let mailbox = if path.starts_with('@') { without_route(path)? } else { path };
    let (local, domain) = unquoted(mailbox, '@')
        .and_then(|at| mailbox.split_at_checked(at))
        .and_then(|(local, rest)| Some((local, rest.strip_prefix('@')?)))
        .ok_or(PathError::Address(AddressError::Shape))?;
    let local = LocalPart::parse(local).map_err(PathError::Address)?;
    if domain.starts_with('[') && domain.ends_with(']') {
        return Err(PathError::Literal);
    }
    let domain = Domain::parse(domain).map_err(PathError::Address)?;
    Ok(Path::Mailbox(Address::new(local, domain)))
}

/// Checks `@a,@b:` and gives what is behind it.
fn without_route(path: &str) -> Result<&str, PathError> {
    let (route, mailbox) = path.split_once(':').ok_or(PathError::Address(AddressError::Shape))?;
    for hop in route.split(',') {
        let domain = hop.strip_prefix('@').ok_or(PathError::Address(AddressError::Shape))?;
        Domain::parse(domain).map_err(PathError::Address)?;
    }
    Ok(mailbox)
}

/// The first place of a character outside quoted strings.
fn unquoted(text: &str, wanted: char) -> Option<usize> {
    let (mut quoted, mut escaped) = (false, false);
    for (at, character) in text.char_indices() {
        match character {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            _ if character == wanted && !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn paths_are_taken_apart() {
        for (text, shown, rest) in [
            ("<bob@world.test>", "bob@world.test", ""),
            ("<bob@World.TEST> SIZE=1", "bob@world.test", " SIZE=1"),
            ("<@a.test,@b.test:bob@world.test>", "bob@world.test", ""),
            ("<bob%x.test@home.test>", "bob%x.test@home.test", ""),
            ("<bob@bücher.test>", "bob@xn--bcher-kva.test", ""),
        ] {
            let (path, after) = take(text).unwrap();
            assert_eq!(path, Path::Mailbox(Address::parse(shown).unwrap()), "{text}");
            assert_eq!(after, rest);
        }
        assert_eq!(take("<> BODY=7BIT"), Ok((Path::Null, " BODY=7BIT")));
        assert_eq!(take("<PostMaster>"), Ok((Path::Postmaster, "")));
    }

    #[test]
    fn what_is_not_a_path_is_refused() {
        for text in [
            "bob@world.test",
            "<bob@world.test",
            "<bob>",
            "<@home.test>",
            "<bob@>",
            "<@a.test:>",
            "<@a.test bob@world.test>",
            "<@:bob@world.test>",
            "<a.test:bob@world.test>",
            "<bob@world.test@home.test>",
            "<bob@world.test,carol@home.test>",
            "<bob@world.test carol@home.test>",
            "<<bob@world.test>>",
            "<bob@world.test.>",
            "<bob@.test>",
            "<bob@home..test>",
            "<bob@home.test\u{200b}>",
            "<bob@[127.0.0.1]>",
            "<bob@[IPv6:::1]>",
            "<\"bob@world.test\">",
            "<\"bob@world.test>",
        ] {
            assert!(take(text).is_err(), "{text}: {:?}", take(text));
        }
        assert!(take(&format!("<{}@world.test>", "b".repeat(300))).is_err());
        let longer_in_ascii = format!("<{}@{}test>", "b".repeat(60), "\u{fc}\u{4f8b}\u{5b50}\u{3b1}.".repeat(14));
        assert!(longer_in_ascii.len() < MAX_PATH && take(&longer_in_ascii).is_err());
    }

    #[test]
    fn an_at_sign_inside_quotes_does_not_part_the_mailbox() {
        assert_eq!(unquoted(r#""a@b"@c"#, '@'), Some(5));
        assert_eq!(unquoted(r#""a\"@b"@c"#, '@'), Some(7));
        assert_eq!(unquoted(r#""a>"@c>"#, '>'), Some(6));
    }
}
