#![allow(clippy::unwrap_used, clippy::expect_used)]

use proptest::prelude::*;

use super::*;

/// The tree in one line: `TYPE/SUBTYPE[size]` with children in parentheses.
fn tree(part: &Part) -> String {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).to_lowercase();
    let head = format!("{}/{}[{}]", text(&part.media_type), text(&part.media_subtype), part.size());
    match &part.content {
        Content::Leaf => head,
        Content::Multipart(parts) => format!("{head}({})", parts.iter().map(tree).collect::<Vec<_>>().join(" ")),
        Content::Message(inner) => format!("{head}<{}>", tree(&inner.root)),
    }
}

fn parsed(text: &str) -> (Summary, Vec<u8>) {
    let message = text.replace('\n', "\r\n").into_bytes();
    (Summary::parse(&message), message)
}

fn slice(message: &[u8], range: Range<u64>) -> String {
    String::from_utf8_lossy(&message[range.start as usize..range.end as usize]).into_owned()
}

#[test]
fn trees_are_read_as_rfc_2046_tells() {
    for (message, expected) in [
        ("", "text/plain[0]"),
        ("Subject: x\n\nhello\n", "text/plain[7]"),
        ("Subject: no body", "text/plain[0]"),
        ("Content-Type: text\n\nx", "text/plain[1]"),
        ("Content-Type: nonsense\n\nx", "application/octet-stream[1]"),
        (
            "Content-Type: multipart/mixed; boundary=b\n\npre\n--b\n\none\n--b\n\ntwo\n--b--\npost",
            "multipart/mixed[40](text/plain[3] text/plain[3])",
        ),
        ("Content-Type: multipart/mixed; boundary=b\n\n--b  \n\none\n--b--", "multipart/mixed[19](text/plain[3])"),
        ("Content-Type: multipart/mixed; boundary=\"b \"\n\n--b\n\none\n", "multipart/mixed[12](text/plain[5])"),
        (
            "Content-Type: multipart/mixed; boundary=b\n\n--bb\n\none\n--b\n\ntwo\n--b--x\n",
            "multipart/mixed[33](text/plain[13])",
        ),
        (
            "Content-Type: multipart/mixed; boundary=b\n\n--b\n--b\nContent-Type: image/png\n--b--\n",
            "multipart/mixed[42](text/plain[0] image/png[0])",
        ),
        ("Content-Type: multipart/mixed\n\nno boundary", "application/octet-stream[11]"),
        ("Content-Type: multipart/mixed; boundary=b\n\nnothing here", "multipart/mixed[12](text/plain[12])"),
        ("Content-Type: multipart/mixed; boundary=b\n\n--b--\n", "multipart/mixed[7](text/plain[7])"),
        (
            "Content-Type: multipart/mixed; boundary=a\n\n--a\nContent-Type: multipart/alternative; boundary=ab\n\n--ab\n\nx\n--ab\n\ny\n--a\n\nz\n--a--\n",
            "multipart/mixed[96](multipart/alternative[20](text/plain[1] text/plain[1]) text/plain[1])",
        ),
        (
            "Content-Type: multipart/digest; boundary=d\n\n--d\n\nSubject: one\n\n1\n--d\nContent-Type: text/plain\n\n2\n--d--\n",
            "multipart/digest[69](message/rfc822[17]<text/plain[1]> text/plain[1])",
        ),
        (
            "Content-Type: multipart/mixed; boundary=m\n\n--m\nContent-Type: message/rfc822\n\nContent-Type: multipart/mixed; boundary=n\n\n--n\n\nx\n--m--\n",
            "multipart/mixed[99](message/rfc822[53]<multipart/mixed[8](text/plain[1])>)",
        ),
        (
            "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\n\nU3ViamVjdDogeA==\n",
            "application/octet-stream[18]",
        ),
        ("Content-Type: message/global (utf8)\n\nSubject: \u{fc}\n\nx", "message/global[16]<text/plain[1]>"),
    ] {
        assert_eq!(tree(&parsed(message).0.root), expected, "{message}");
    }
}

#[test]
fn bare_line_feeds_of_old_mail_divide_as_well() {
    let summary = Summary::parse(
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\n\none\n\n--b\nContent-ID: <i>\n\ntwo\n--b--\n",
    );
    assert_eq!(tree(&summary.root), "multipart/mixed[41](text/plain[4] text/plain[3])");
    assert_eq!(summary.part(&[2]).unwrap().id.as_deref(), Some(&b"<i>"[..]));
}

const NESTED: &str = "Subject: outer\nContent-Type: multipart/mixed; boundary=m\n\npreamble\n--m\nContent-Type: text/plain\n\none\nline\n--m\n\
    Content-Type: message/rfc822\nContent-Description: a letter\n\nSubject: inner\nFrom: Bob <bob@world.test>\n\
    Content-Type: multipart/alternative; boundary=a\n\n--a\n\nplain\n--a\nContent-Type: text/html\n\n<p>\n--a--\n--m\n\
    Content-Type: message/rfc822\n\nSubject: last\n\nleaf\n--m--\nepilogue\n";

#[test]
fn section_numbers_lead_where_rfc_3501_says() {
    let (summary, message) = parsed(NESTED);
    let get = |path: &[u32], section| summary.range(path, section).map(|range| slice(&message, range));
    use Section::{Header, Mime, Text, Whole};
    assert_eq!(get(&[], Whole).unwrap().into_bytes(), message);
    assert!(get(&[], Header).unwrap().ends_with("boundary=m\r\n\r\n"));
    assert!(get(&[], Text).unwrap().starts_with("preamble"));
    assert_eq!(get(&[], Mime), None);
    assert_eq!(get(&[1], Whole).unwrap(), "one\r\nline");
    assert_eq!(get(&[1], Mime).unwrap(), "Content-Type: text/plain\r\n\r\n");
    assert_eq!(get(&[1], Header), None);
    assert_eq!(get(&[1, 1], Whole), None);
    assert!(get(&[2], Whole).unwrap().starts_with("Subject: inner"));
    assert!(get(&[2], Mime).unwrap().contains("a letter"));
    assert!(get(&[2], Header).unwrap().ends_with("boundary=a\r\n\r\n"));
    assert!(get(&[2], Text).unwrap().starts_with("--a\r\n"));
    assert_eq!(get(&[2, 1], Whole).unwrap(), "plain");
    assert_eq!(get(&[2, 2], Mime).unwrap(), "Content-Type: text/html\r\n\r\n");
    assert_eq!(get(&[3, 1], Whole).unwrap(), "leaf");
    assert_eq!(get(&[3, 1], Mime).unwrap(), "Subject: last\r\n\r\n");
    assert_eq!(get(&[3, 2], Whole), None);
    assert_eq!(get(&[0], Whole), None);
    assert_eq!(get(&[4], Whole), None);
    assert_eq!(summary.parts().count(), 8);
    let (simple, message) = parsed("Subject: x\n\nhello");
    assert_eq!(slice(&message, simple.range(&[1], Whole).unwrap()), "hello");
    assert_eq!(slice(&message, simple.range(&[1], Mime).unwrap()), "Subject: x\r\n\r\n");
    assert_eq!(simple.range(&[2], Whole), None);
    assert_eq!(simple.range(&[1, 1], Whole), None);
}

#[test]
fn lines_are_counted_in_every_part() {
    let (summary, _) = parsed(NESTED);
    assert_eq!(summary.part(&[1]).unwrap().lines, 1);
    let inner = summary.part(&[2]).unwrap();
    assert_eq!(inner.lines, 11);
    let long = format!("A: b\r\n\r\n{}", "x\r\n".repeat(100_000));
    assert_eq!(Summary::parse(long.as_bytes()).root.lines, 100_000);
}

#[test]
fn the_envelope_keeps_raw_bytes_and_defaults_to_the_author() {
    let (summary, _) = parsed(
        "Date: Tue, 24 Nov 2026 15:47:10 +0100\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\n =?utf-8?q?_aus_Bonn?=\nFrom: \"Doe, J\" <j@a.test>\n\
         To: a@b.test,\n\t\"C\" <c@d.test>\nto: e@f.test\nReply-To: list@a.test\nIn-Reply-To: <1@x>\nMessage-ID: <2@x>\n\n",
    );
    let envelope = &summary.envelope;
    assert_eq!(envelope.subject.as_deref(), Some(&b"=?utf-8?q?Gr=C3=BC=C3=9Fe?= =?utf-8?q?_aus_Bonn?="[..]));
    assert_eq!(envelope.date.as_deref(), Some(&b"Tue, 24 Nov 2026 15:47:10 +0100"[..]));
    assert_eq!(envelope.sender, envelope.from);
    assert_eq!(envelope.from[0].name.as_deref(), Some(&b"Doe, J"[..]));
    assert_eq!(envelope.reply_to[0].mailbox.as_deref(), Some(&b"list"[..]));
    assert_eq!(envelope.to.len(), 3);
    assert_eq!(envelope.in_reply_to.as_deref(), Some(&b"<1@x>"[..]));
    assert_eq!(envelope.message_id.as_deref(), Some(&b"<2@x>"[..]));
    let raw = Summary::parse(b"Subject: Gr\xfc\xdfe\0\r\n\r\n");
    assert_eq!(raw.envelope.subject.as_deref(), Some(&b"Gr\xfc\xdfe"[..]));
    assert_eq!(Summary::parse(b"Subject:\r\n\r\n").envelope.subject.as_deref(), Some(&b""[..]));
}

#[test]
fn mime_fields_describe_their_part() {
    let (summary, _) = parsed(
        "Content-Type: image/jpeg; name=\"=?utf-8?q?=C3=BC.jpg?=\"\nContent-Transfer-Encoding: Base64 (x)\n\
         Content-Disposition: attachment;\n filename*=utf-8''%C3%BC.jpg; size=3\nContent-ID: <i@x>\nContent-Language: de, en\n\
         Content-MD5: abc==\nContent-Location: http://x.test/\nContent-Description: picture\n\nAAAA\n",
    );
    let part = &summary.root;
    assert_eq!(part.param("NAME"), Some(&b"=?utf-8?q?=C3=BC.jpg?="[..]));
    assert_eq!(part.encoding, b"BASE64");
    let (kind, params) = part.disposition.as_ref().unwrap();
    assert_eq!(kind, b"ATTACHMENT");
    assert_eq!(params[0], (b"FILENAME*".to_vec(), b"utf-8''%C3%BC.jpg".to_vec()));
    assert_eq!(part.language, [b"de".to_vec(), b"en".to_vec()]);
    assert_eq!(part.md5.as_deref(), Some(&b"abc=="[..]));
    assert_eq!(part.description.as_deref(), Some(&b"picture"[..]));
}

#[test]
fn ten_thousand_parts_and_a_thousand_levels_are_bounded() {
    let many =
        format!("Content-Type: multipart/mixed; boundary=b\r\n\r\n{}--b--\r\nend", "--b\r\n\r\nx\r\n".repeat(10_000));
    let summary = Summary::parse(many.as_bytes());
    let Content::Multipart(parts) = &summary.root.content else { panic!("not a multipart") };
    assert_eq!(parts.len(), mime::MAX_PARTS);
    assert_eq!(parts.last().unwrap().media_type, b"APPLICATION");
    assert!(parts.last().unwrap().size() > 80_000);

    let deep: String =
        (0..1_000).map(|n| format!("Content-Type: multipart/mixed; boundary=b{n}\r\n\r\n--b{n}\r\n")).collect();
    assert_eq!(Summary::parse(deep.as_bytes()).parts().count(), mime::MAX_DEPTH + 1);
    let letters = "Content-Type: message/rfc822\r\n\r\n".repeat(1_000);
    assert_eq!(Summary::parse(letters.as_bytes()).parts().count(), mime::MAX_DEPTH + 1);

    let boundary = "b".repeat(1_000_000);
    let long = format!("Content-Type: multipart/mixed; boundary={boundary}\r\n\r\n--{boundary}\r\n\r\nx\r\n");
    assert_eq!(Summary::parse(long.as_bytes()).parts().count(), 1);
}

#[test]
fn a_usual_letter_has_a_small_summary() {
    let (summary, _) = parsed(
        "From: Alice Example <alice@home.test>\nTo: Bob Example <bob@world.test>\nSubject: Photos from the weekend\n\
         Date: Tue, 24 Nov 2026 15:47:10 +0100\nMessage-ID: <0123456789abcdef@mail.home.test>\n\
         Content-Type: multipart/mixed; boundary=\"------------abcdefghijklmnopq\"\n\n--------------abcdefghijklmnopq\n\
         Content-Type: text/plain; charset=UTF-8; format=flowed\n\nHello\n--------------abcdefghijklmnopq\n\
         Content-Type: image/jpeg; name=\"photo.jpg\"\nContent-Disposition: attachment; filename=\"photo.jpg\"\n\
         Content-Transfer-Encoding: base64\n\nAAAA\n--------------abcdefghijklmnopq--\n",
    );
    assert_eq!(summary.parts().count(), 3);
    let bytes = postcard::to_stdvec(&summary).unwrap();
    assert!(bytes.len() < 600, "{}", bytes.len());
    assert_eq!(postcard::from_bytes::<Summary>(&bytes), Ok(summary));
}

/// Makes a message of about so many bytes.
type Make<'a> = Box<dyn Fn(usize) -> Vec<u8> + 'a>;

/// Time for a hostile message of this size; the best of five, for quiet.
fn cost(make: &Make<'_>, size: usize) -> f64 {
    let message = make(size);
    let once = || {
        let start = std::time::Instant::now();
        std::hint::black_box(Summary::parse(std::hint::black_box(&message)));
        start.elapsed().as_secs_f64()
    };
    (0..5).map(|_| once()).fold(f64::MAX, f64::min)
}

#[test]
fn the_cost_of_a_hostile_message_grows_as_its_size_and_not_as_the_square_of_it() {
    let open: String = (0..mime::MAX_DEPTH - 1)
        .map(|n| format!("Content-Type: multipart/mixed; boundary={}{n:02}\r\n\r\n--{0}{n:02}\r\n", "a".repeat(60)))
        .collect();
    let nearly = format!("--{}xx\r\n", "a".repeat(60));
    let hostile: [(&str, Make); 5] = [
        (
            "dashes",
            Box::new(|n| {
                [b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n".to_vec(), b"\n--".repeat(n / 3)]
                    .concat()
            }),
        ),
        (
            "near misses",
            Box::new(|n| {
                [open.clone().into_bytes(), b"\r\n".to_vec(), nearly.repeat(n / nearly.len()).into_bytes()].concat()
            }),
        ),
        ("endless header", Box::new(|n| b"A: b\r\n c\r\n".repeat(n / 9))),
        ("headers without end", Box::new(|n| [open.clone().into_bytes(), b"x\r\n".repeat(n / 3)].concat())),
        (
            "many parts",
            Box::new(|n| {
                [b"Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_vec(), b"--b\r\n".repeat(n / 5)].concat()
            }),
        ),
    ];
    for (name, make) in &hostile {
        let (small, large) = (cost(make, 50_000), cost(make, 800_000));
        // Sixteen times the size: a quadratic parser takes 256 times as long. What a busy machine adds lies far between.
        assert!(large < small * 100.0 + 0.02, "{name}: {small:.4} s, then {large:.4} s");
    }
}

fn well_placed(part: &Part, from: u64, to: u64) -> bool {
    let ordered = from <= part.header_start && part.header_start <= part.body_start;
    let inside = part.body_start <= part.body_end && part.body_end <= to;
    let children = match &part.content {
        Content::Leaf => true,
        Content::Message(inner) => well_placed(&inner.root, part.body_start, part.body_end),
        Content::Multipart(parts) => {
            let mut at = part.body_start;
            !parts.is_empty()
                && parts.iter().all(|child| {
                    let fits = well_placed(child, at, part.body_end);
                    at = child.body_end;
                    fits
                })
        }
    };
    ordered && inside && children
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn offsets_are_ordered_nested_and_in_range(pieces in proptest::collection::vec(prop_oneof![
        Just("Content-Type: multipart/mixed; boundary=a\r\n"),
        Just("Content-Type: multipart/digest; boundary=\"ab\"\n"),
        Just("Content-Type: message/rfc822\r\n"),
        Just("Subject: x\r\n"),
        Just("--a\r\n"), Just("--a--\r\n"), Just("--ab\n"), Just("--ab--"), Just("--a "),
        Just("\r\n"), Just("\n"), Just("\r"), Just("text"), Just("-"), Just(" "),
    ], 0..60)) {
        let message = pieces.concat();
        let summary = Summary::parse(message.as_bytes());
        prop_assert!(well_placed(&summary.root, 0, message.len() as u64), "{:?}", summary);
        prop_assert_eq!(summary.root.body_end, message.len() as u64);
    }

    #[test]
    fn any_bytes_are_read_without_panic(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let summary = Summary::parse(&bytes);
        prop_assert!(well_placed(&summary.root, 0, bytes.len() as u64));
    }
}
