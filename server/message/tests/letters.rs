//! Letters as the common programs write them, read from end to end.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use mailstead_message::summary::{Content, Part, Section};
use mailstead_message::text::Needle;
use mailstead_message::{Summary, header};

/// Gmail: alternatives, base64 for what is not ASCII, an encoded name.
const GMAIL: &str = "MIME-Version: 1.0
References: <CAB1@mail.world.test>
In-Reply-To: <CAB1@mail.world.test>
From: =?UTF-8?Q?Zo=C3=AB_M=C3=BCller?= <zoe@world.test>
Date: Tue, 24 Nov 2026 09:30:01 +0100
Message-ID: <CAB2@mail.world.test>
Subject: =?UTF-8?B?UmU6IEvDpHNla3VjaGVuIPCfjrA=?=
To: Alice <alice@home.test>
Cc: =?UTF-8?B?5bGx55Sw5aSq6YOO?= <taro@world.test>, carol@home.test
Content-Type: multipart/alternative; boundary=\"00000000000085a0d306f1\"

--00000000000085a0d306f1
Content-Type: text/plain; charset=\"UTF-8\"
Content-Transfer-Encoding: base64

U2Now7ZuLCBkYXNzIGR1IGtvbW1zdCEgU29ubnRhZyB1bSBkcmVpLg0K
--00000000000085a0d306f1
Content-Type: text/html; charset=\"UTF-8\"
Content-Transfer-Encoding: quoted-printable

<div dir=3D\"ltr\">Sch=C3=B6n, dass du kommst! Sonntag um <b>drei</b>.</div=
>
--00000000000085a0d306f1--
";

/// Outlook: a picture inside, an attachment with an RFC 2231 name, folded Thread fields, windows-1252.
const OUTLOOK: &str = "From: \"Brown, Bob\" <Bob.Brown@World.test>
To: \"alice@home.test\" <alice@home.test>
Subject: Invoice No. 12
Thread-Topic: Invoice No. 12
Thread-Index: AdmXyz0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789ABCDEFGHIJKLMN
\tOPQRSTUVWXYZ==
Date: Tue, 24 Nov 2026 08:00:00 +0000
Message-ID:
 <AS8PR01MB7654321@AS8PR01MB7654321.eurprd01.prod.world.test>
Accept-Language: en-GB, en-US
Content-Language: en-GB
X-MS-Has-Attach: yes
Content-Type: multipart/mixed;
\tboundary=\"_004_AS8PR01_\"
MIME-Version: 1.0

--_004_AS8PR01_
Content-Type: multipart/related;
\tboundary=\"_003_AS8PR01_\";
\ttype=\"multipart/alternative\"

--_003_AS8PR01_
Content-Type: multipart/alternative;
\tboundary=\"_000_AS8PR01_\"

--_000_AS8PR01_
Content-Type: text/plain; charset=\"Windows-1252\"
Content-Transfer-Encoding: quoted-printable

Dear Alice,
that makes =80 40. It=92s due on Friday.

--_000_AS8PR01_
Content-Type: text/html; charset=\"Windows-1252\"
Content-Transfer-Encoding: quoted-printable

<html><body>Dear Alice,<br>that makes &euro; 40.</body></html>

--_000_AS8PR01_--

--_003_AS8PR01_
Content-Type: image/png; name=\"image001.png\"
Content-Description: image001.png
Content-Disposition: inline; filename=\"image001.png\"; size=9;
\tcreation-date=\"Tue, 24 Nov 2026 08:00:00 GMT\"
Content-ID: <image001.png@01DA>
Content-Transfer-Encoding: base64

iVBORw0KGgoA

--_003_AS8PR01_--

--_004_AS8PR01_
Content-Type: application/pdf; name=\"=?utf-8?B?UmVjaG51bmcgw7wucGRm?=\"
Content-Disposition: attachment;
\tfilename*=utf-8''Rechnung%20%C3%BC.pdf; size=4
Content-Transfer-Encoding: base64

JVBERg==

--_004_AS8PR01_--
";

/// Apple Mail: a forwarded letter enclosed, format=flowed, a boundary with an equals sign.
const APPLE: &str = "From: Carol <carol@home.test>
Content-Type: multipart/mixed; boundary=\"Apple-Mail=_D1B2C3\"
Mime-Version: 1.0 (Mac OS X Mail 16.0 \\(3774.100.2.1.4\\))
Subject: Fwd: Tickets
Message-Id: <C0FFEE@home.test>
Date: Tue, 24 Nov 2026 12:00:00 +0100
To: Family: Alice <alice@home.test>, dad@home.test;, bob@world.test


--Apple-Mail=_D1B2C3
Content-Transfer-Encoding: 7bit
Content-Type: text/plain;
\tcharset=us-ascii;
\tformat=flowed

See below.


--Apple-Mail=_D1B2C3
Content-Disposition: attachment;
\tfilename=\"Tickets.eml\"
Content-Type: message/rfc822;
\tx-unix-mode=0644;
\tname=\"Tickets.eml\"
Content-Transfer-Encoding: 7bit

From: Opera <tickets@opera.test>
Subject: =?iso-8859-2?Q?P=F8edstaven=ED?=
To: carol@home.test
Content-Type: text/plain; charset=koi8-r
Content-Transfer-Encoding: 8bit

Two seats, row 7.

--Apple-Mail=_D1B2C3
Content-Type: text/plain; charset=us-ascii


-- 
Carol
--Apple-Mail=_D1B2C3--
";

fn read(letter: &str) -> (Vec<u8>, Summary) {
    let message = letter.replace('\n', "\r\n").into_bytes();
    let summary = Summary::parse(&message);
    (message, summary)
}

fn types(part: &Part) -> String {
    let own = String::from_utf8_lossy(&[&part.media_type[..], b"/", &part.media_subtype].concat()).to_lowercase();
    match &part.content {
        Content::Leaf => own,
        Content::Multipart(parts) => format!("{own}({})", parts.iter().map(types).collect::<Vec<_>>().join(" ")),
        Content::Message(inner) => format!("{own}<{}>", types(&inner.root)),
    }
}

fn section(message: &[u8], summary: &Summary, path: &[u32], section: Section) -> String {
    let range = summary.range(path, section).unwrap();
    String::from_utf8_lossy(&message[range.start as usize..range.end as usize]).into_owned()
}

#[test]
fn a_letter_from_gmail_is_understood() {
    let (message, summary) = read(GMAIL);
    assert_eq!(types(&summary.root), "multipart/alternative(text/plain text/html)");
    assert_eq!(header::value(&message, "Subject").unwrap(), "Re: Käsekuchen 🎰");
    assert_eq!(header::value(&message, "Cc").unwrap(), "山田太郎 <taro@world.test>, carol@home.test");
    assert_eq!(summary.envelope.cc.len(), 2);
    assert_eq!(summary.envelope.in_reply_to.as_deref(), Some(&b"<CAB1@mail.world.test>"[..]));
    assert!(section(&message, &summary, &[2], Section::Whole).ends_with("</div=\r\n>"));
    for needle in ["käseKUCHEN", "SCHÖN, dass du", "山田", "um drei"] {
        assert!(Needle::new(needle).is_in_message(&message, &summary), "{needle}");
    }
    assert!(Needle::new("zoë müller").is_in_mailboxes(&summary.envelope.from));
}

#[test]
fn a_letter_from_outlook_is_understood() {
    let (message, summary) = read(OUTLOOK);
    assert_eq!(
        types(&summary.root),
        "multipart/mixed(multipart/related(multipart/alternative(text/plain text/html) image/png) application/pdf)"
    );
    let author = summary.envelope.from.first().unwrap();
    assert_eq!(author.name.as_deref(), Some(&b"Brown, Bob"[..]));
    assert_eq!(author.address().unwrap().to_string(), "Bob.Brown@world.test");
    let id = &b"<AS8PR01MB7654321@AS8PR01MB7654321.eurprd01.prod.world.test>"[..];
    assert_eq!(summary.envelope.message_id.as_deref(), Some(id));
    let picture = summary.part(&[1, 2]).unwrap();
    assert_eq!(picture.id.as_deref(), Some(&b"<image001.png@01DA>"[..]));
    let (kind, params) = summary.part(&[2]).unwrap().disposition.clone().unwrap();
    assert_eq!((kind.as_slice(), params.len()), (&b"ATTACHMENT"[..], 2));
    assert_eq!(summary.root.language, [b"en-GB".to_vec()]);
    assert_eq!(section(&message, &summary, &[2], Section::Whole), "JVBERg==\r\n");
    for (needle, found) in [("€ 40", true), ("it’s due", true), ("Rechnung", true), ("iVBOR", false)] {
        assert_eq!(Needle::new(needle).is_in_body(&message, &summary), found, "{needle}");
    }
}

#[test]
fn a_letter_from_apple_mail_is_understood() {
    let (message, summary) = read(APPLE);
    assert_eq!(types(&summary.root), "multipart/mixed(text/plain message/rfc822<text/plain> text/plain)");
    assert_eq!(section(&message, &summary, &[1], Section::Whole), "See below.\r\n\r\n");
    assert!(section(&message, &summary, &[2], Section::Header).starts_with("From: Opera"));
    assert_eq!(section(&message, &summary, &[2, 1], Section::Whole), "Two seats, row 7.\r\n");
    assert_eq!(section(&message, &summary, &[3], Section::Whole), "\r\n-- \r\nCarol");
    let names: Vec<_> =
        summary.envelope.to.iter().map(|to| to.mailbox.as_deref().map(String::from_utf8_lossy)).collect();
    let names: Vec<_> = names.iter().map(|name| name.as_deref().unwrap_or("NIL")).collect();
    assert_eq!(names, ["Family", "alice", "dad", "NIL", "bob"]);
    assert!(Needle::new("představení").is_in_body(&message, &summary));
}

#[test]
fn old_letters_with_bare_line_feeds_give_the_same_tree() {
    for letter in [GMAIL, OUTLOOK, APPLE] {
        let (_, summary) = read(letter);
        let unix = Summary::parse(letter.as_bytes());
        assert_eq!(types(&unix.root), types(&summary.root));
        assert_eq!(unix.envelope, summary.envelope);
        let lines = |summary: &Summary| summary.parts().map(|part| part.lines).collect::<Vec<_>>();
        assert_eq!(lines(&unix), lines(&summary));
    }
}

#[test]
fn completing_a_submitted_letter_changes_nothing_else() {
    let (message, _) = read(OUTLOOK);
    let head = &message[..header::header_len(&message)];
    assert_eq!(header::complete(head, "now", "<id>"), head);
    let with_bcc = [b"Bcc: secret@home.test,\r\n\tother@home.test\r\n", head].concat();
    assert_eq!(header::complete(&with_bcc, "now", "<id>"), head);
}
