//! Reading what Outlook posts.

use quick_xml::events::{BytesRef, Event};
use quick_xml::reader::Reader;

/// Elements within each other: a question has 3.
const MAX_DEPTH: usize = 16;
/// Bytes of an element's text: an address has 320 at most (RFC 5321 4.5.3.1).
const MAX_TEXT: usize = 512;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Question {
    /// Whose settings: what stands there, be it an address or not.
    pub address: String,
    /// The namespace of the answer that would be understood.
    pub schema: Option<String>,
}

/// Reads a question; `None` for anything else. No document type is read, so that there are no entities of one's own,
/// which grow without end.
pub(super) fn read(bytes: &[u8]) -> Option<Question> {
    let text = std::str::from_utf8(bytes).ok()?;
    let mut reader = Reader::from_str(text.trim_start_matches('\u{feff}'));
    let (mut path, mut content) = (Vec::new(), String::new());
    let (mut address, mut schema) = (None, None);
    loop {
        match reader.read_event().ok()? {
            Event::Start(_) if path.len() == MAX_DEPTH => return None,
            Event::Start(tag) => {
                path.push(tag.local_name().as_ref().to_owned());
                content.clear();
            }
            Event::End(_) => {
                let name = path.pop()?;
                let value = content.trim().to_owned();
                match (&name[..], path.len()) {
                    ("EMailAddress", 2) => address = Some(value),
                    ("AcceptableResponseSchema", 2) => schema = Some(value),
                    _ => {}
                }
                content.clear();
            }
            Event::Text(text) => content.push_str(&text.xml10_content()),
            Event::CData(text) => content.push_str(&text.xml10_content()),
            Event::GeneralRef(reference) => content.push_str(&letter(&reference)?),
            Event::DocType(_) => return None,
            Event::Eof => break,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
        if content.len() > MAX_TEXT {
            return None;
        }
    }
    if !path.is_empty() {
        return None;
    }
    Some(Question { address: address?, schema })
}

/// What `&amp;` and its like, or a number, stand for.
fn letter(reference: &BytesRef<'_>) -> Option<String> {
    match reference.resolve_char_ref().ok()? {
        Some(letter) => Some(letter.to_string()),
        None => quick_xml::escape::resolve_predefined_entity(&reference.xml10_content()).map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn question(inside: &str) -> String {
        format!(
            "<?xml version=\"1.0\"?><Autodiscover xmlns=\"http://schemas.microsoft.com/exchange/autodiscover/outlook/\
             requestschema/2006\"><Request>{inside}</Request></Autodiscover>"
        )
    }

    #[test]
    fn address_and_schema_are_read() {
        let xml = question(
            "<EMailAddress> a&amp;b@home.test\n</EMailAddress><AcceptableResponseSchema>x</AcceptableResponseSchema>",
        );
        let read = read(xml.as_bytes()).unwrap();
        assert_eq!((read.address.as_str(), read.schema.as_deref()), ("a&b@home.test", Some("x")));
    }

    #[test]
    fn whatever_is_no_question_is_refused() {
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaaaaaa\"><!ENTITY b \"&a;&a;&a;&a;\">]>";
        let deep = "<a>".repeat(5_000);
        for strange in [
            String::new(),
            "{}".to_owned(),
            question(""),
            question("<EMailAddress>a@home.test"),
            question("<EMailAddress>&b;@home.test</EMailAddress>"),
            question(&format!("<EMailAddress>{}@home.test</EMailAddress>", "a".repeat(600))),
            format!("{bomb}{}", question("<EMailAddress>&b;@home.test</EMailAddress>")),
            format!("{bomb}{}", question("<EMailAddress>a@home.test</EMailAddress>")),
            question(&deep),
            deep,
            "<EMailAddress>a@home.test</EMailAddress>".to_owned(),
        ] {
            assert_eq!(read(strange.as_bytes()), None, "{strange}");
        }
        assert_eq!(read(b"\xff\xfe<\0"), None);
    }
}
