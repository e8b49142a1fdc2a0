//! Tag lists (RFC 6376 3.2), as signatures, keys and policies are written.

/// Tags of one list; the longest of use has some fifteen.
const MAX_TAGS: usize = 64;

/// A tag list, folding white space around names and values gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tags<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Tags<'a> {
    /// `None` when it is no tag list: a tag without `=`, one that comes twice, bytes that are no text.
    pub(super) fn parse(list: &'a [u8]) -> Option<Self> {
        let list = std::str::from_utf8(list).ok()?;
        let mut tags: Vec<(&str, &str)> = Vec::new();
        for tag in list.split(';').map(trim).filter(|tag| !tag.is_empty()) {
            let (name, value) = tag.split_once('=')?;
            let name = name.trim_end_matches(SPACE);
            if tags.len() >= MAX_TAGS || name.is_empty() || tags.iter().any(|(other, _)| *other == name) {
                return None;
            }
            tags.push((name, value.trim_start_matches(SPACE)));
        }
        Some(Self(tags))
    }

    /// As [`Tags::parse`], for lists whose reader must pass over what is malformed in them (RFC 9989 4.7).
    pub(super) fn parse_kindly(list: &'a str) -> Self {
        let pairs = list.split(';').filter_map(|tag| tag.split_once('=')).take(MAX_TAGS);
        let mut tags: Vec<(&str, &str)> = Vec::new();
        for (name, value) in pairs.map(|(name, value)| (trim(name), trim(value))) {
            if !tags.iter().any(|(other, _)| *other == name) {
                tags.push((name, value));
            }
        }
        Self(tags)
    }

    /// A tag's value.
    pub(super) fn get(&self, name: &str) -> Option<&'a str> {
        self.0.iter().find(|(other, _)| *other == name).map(|(_, value)| *value)
    }

    /// The first tag's name.
    pub(super) fn first(&self) -> Option<&'a str> {
        self.0.first().map(|(name, _)| *name)
    }

    /// A tag's value without any white space, as base64 and lists are read.
    pub(super) fn squeezed(&self, name: &str) -> Option<String> {
        Some(self.get(name)?.split(SPACE).collect())
    }
}

const SPACE: [char; 4] = [' ', '\t', '\r', '\n'];

fn trim(text: &str) -> &str {
    text.trim_matches(SPACE)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn values_lose_the_white_space_around_them() {
        let tags = Tags::parse(b" v=1; b = ab\r\n cd== ;\r\n\th=a : b;x=;").unwrap();
        assert_eq!(tags.get("v"), Some("1"));
        assert_eq!(tags.get("b"), Some("ab\r\n cd=="));
        assert_eq!(tags.squeezed("b").as_deref(), Some("abcd=="));
        assert_eq!(tags.get("h"), Some("a : b"));
        assert_eq!(tags.get("x"), Some(""));
        assert_eq!(tags.get("B"), None);
        assert_eq!(tags.first(), Some("v"));
    }

    #[test]
    fn a_list_with_a_mistake_is_none() {
        let many: String = (0..100).map(|n| format!("t{n}=1;")).collect();
        for list in [&b"v=1; v=1"[..], b"v", b"v=1; =2", b"v=\xff", many.as_bytes()] {
            assert_eq!(Tags::parse(list), None, "{}", list.escape_ascii());
        }
        assert_eq!(Tags::parse_kindly("v=1; junk; p = none;p=reject").get("p"), Some("none"));
    }
}
