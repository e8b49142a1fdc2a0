//! Messages: the MIME tree, the envelope, the header block, the search.

use mailstead_message::mime::{MAX_DEPTH, MAX_PARTS};
use mailstead_message::summary::{Content, Part, Section};
use mailstead_message::text::Needle;
use mailstead_message::{Summary, header};

/// Parts that come on top of the most: one that stands for the rest, in each open multipart.
const REMAINDERS: usize = MAX_DEPTH + 1;

/// Takes a whole message.
pub fn mime(message: &[u8]) {
    let summary = Summary::parse(message);
    assert_eq!(summary, Summary::parse(message));
    assert_eq!((summary.root.header_start, summary.root.body_end), (0, message.len() as u64));
    assert!(summary.parts().count() <= MAX_PARTS + REMAINDERS);
    assert_tree(&summary, 0);
    let stored = postcard::to_stdvec(&summary).unwrap();
    assert_eq!(postcard::from_bytes::<Summary>(&stored).as_ref(), Ok(&summary));
    assert_header(message);
    Needle::new("no such thing").is_in_message(message, &summary);
    Needle::new("nichts d\u{fc}rgleichen").is_in_message(message, &summary);
}

fn assert_tree(summary: &Summary, depth: usize) {
    assert_part(&summary.root, depth);
    assert_eq!(summary.range(&[], Section::Whole), Some(summary.root.header_start..summary.root.body_end));
    assert_eq!(summary.range(&[1], Section::Whole), summary.part(&[1]).map(Part::body));
}

fn assert_part(part: &Part, depth: usize) {
    assert!(depth <= MAX_DEPTH + 1, "the tree is too deep");
    assert!(part.header_start <= part.body_start && part.body_start <= part.body_end, "{part:?}");
    assert!(part.lines <= part.size(), "more lines than bytes");
    match &part.content {
        Content::Leaf => assert!(!part.is_multipart() && !part.is_message(), "{part:?}"),
        Content::Message(inner) => {
            assert_eq!(inner.root.header_start..inner.root.body_end, part.body());
            assert_tree(inner, depth + 1);
        }
        Content::Multipart(children) => {
            assert!(part.is_multipart() && !children.is_empty(), "{part:?}");
            let mut end = part.body_start;
            for child in children {
                assert!(end <= child.header_start && child.body_end <= part.body_end, "children overlap");
                end = child.body_end;
                assert_part(child, depth + 1);
            }
        }
    }
}

fn assert_header(message: &[u8]) {
    let length = header::header_len(message);
    assert!(length <= message.len());
    let fields = header::fields(message).count();
    assert!(fields <= length);
    for name in ["Received", "From", "Subject", "Date"] {
        assert_eq!(header::has(message, name), header::count(message, name) > 0);
        assert_eq!(header::value(message, name).is_some(), header::has(message, name));
    }
    if let Ok(authors) = header::authors(message) {
        assert!(!authors.is_empty() && header::count(message, "From") == 1);
    }
}
