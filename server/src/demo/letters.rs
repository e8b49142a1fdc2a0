//! Varied letters for alice's mailbox: HTML, attachments, threads, several languages. The same number gives the same letters.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use mailstead_message::Address;
use mailstead_store::{Append, FlagSet, Flags, Prepared, Store};

/// Letters stored in one transaction.
const BATCH: usize = 250;

/// Seconds between one letter and the next, on average.
const PACE: i64 = 3 * 60 * 60 + 7 * 60;

struct Correspondent {
    name: &'static str,
    address: &'static str,
    subject: &'static str,
    text: &'static str,
}

const CORRESPONDENTS: [Correspondent; 10] = [
    Correspondent {
        name: "Bob Miller",
        address: "bob@world.test",
        subject: "Saturday's walk",
        text: "The hut is open again. Shall we take the long way round, by the mill?",
    },
    Correspondent {
        name: "Carol Smith",
        address: "carol@home.test",
        subject: "The boiler",
        text: "The plumber comes on Tuesday between eight and ten. One of us has to be in.",
    },
    Correspondent {
        name: "Jürgen Weiß",
        address: "juergen@garten.test",
        subject: "Äpfel und Öl für den Herbst",
        text: "Die Äpfel sind reif; bring bitte Körbe mit. Grüße aus dem Garten.",
    },
    Correspondent {
        name: "Zoé Lefèvre",
        address: "zoe@lumiere.test",
        subject: "Le déjeuner de Noël",
        text: "Nous serons douze à table cette année. Peux-tu apporter le gâteau ?",
    },
    Correspondent {
        name: "さくら",
        address: "sakura@hana.test",
        subject: "お花見のお知らせ",
        text: "今週の土曜日、公園で会いましょう。お弁当を忘れないでください。",
    },
    Correspondent {
        name: "Иван Петров",
        address: "ivan@pochta.test",
        subject: "Фотографии с дачи",
        text: "Посылаю фотографии. Малина в этом году удалась.",
    },
    Correspondent {
        name: "نور",
        address: "noor@diwan.test",
        subject: "دعوة إلى العشاء",
        text: "نلتقي مساء الخميس في بيتنا. أهلا وسهلا بكم.",
    },
    Correspondent {
        name: "María Peña",
        address: "maria@correo.test",
        subject: "¿Vienes en mañana?",
        text: "El tren llega a las nueve y media. Te espero en el andén.",
    },
    Correspondent {
        name: "The Reading Circle",
        address: "list@books.test",
        subject: "Next month's book",
        text: "Twelve votes for the sea story, nine for the letters. Copies are at the library.",
    },
    Correspondent {
        name: "Town Library",
        address: "no-reply@library.test",
        subject: "Your loans",
        text: "Two books are due on Friday. You may renew them once.",
    },
];

/// Appends `count` letters to an account's INBOX, unless it has mail already.
///
/// # Errors
/// A sentence when the store refuses.
pub(crate) async fn seed(store: &Store, account: &str, count: usize) -> Result<(), String> {
    if count == 0 {
        return Ok(());
    }
    let address = Address::parse(account).map_err(|error| error.to_string())?;
    let accounts = store.accounts().map_err(|error| error.to_string())?;
    let owner = accounts.iter().find(|known| known.address == address).ok_or("the account to seed is missing")?;
    let inbox = store
        .snapshot()
        .and_then(|snapshot| snapshot.mailbox_by_name(owner.id, "INBOX"))
        .map_err(|error| error.to_string())?
        .ok_or("the account to seed has no INBOX")?;
    if inbox.messages > 0 {
        return Ok(());
    }
    let newest = Timestamp::now().as_second();
    let mut index = 0;
    while index < count {
        let end = count.min(index + BATCH);
        let letters: Result<Vec<Append>, String> = (index..end).map(|index| append(index, count, newest)).collect();
        store.append(inbox.id, letters?).await.map_err(|error| error.to_string())?;
        index = end;
    }
    Ok(())
}

fn append(index: usize, count: usize, newest: i64) -> Result<Append, String> {
    let age = (count - index) as i64;
    let at = newest - age * PACE - (index as i64 * 7_919) % 3_600;
    let letter = compose(index, at);
    // The latest tenth is unread; a few are answered or flagged.
    let mut flags = Flags::default();
    if index * 10 < count * 9 {
        flags = flags | Flags::SEEN;
    }
    if index % 5 == 2 {
        flags = flags | Flags::ANSWERED;
    }
    if index % 17 == 3 {
        flags = flags | Flags::FLAGGED;
    }
    Ok(Append {
        message: Prepared::from_bytes(letter.as_bytes()).map_err(|error| error.to_string())?,
        flags: FlagSet { system: flags, ..FlagSet::default() },
        internal_date: mailstead_store::Timestamp(at),
    })
}

/// One letter with CRLF line ends.
fn compose(index: usize, at: i64) -> String {
    let from = &CORRESPONDENTS[index % CORRESPONDENTS.len()];
    // Each correspondent writes threads of four: one letter and three answers.
    let round = index / CORRESPONDENTS.len();
    let (thread, step) = (round / 4, round % 4);
    let id = |step: usize| format!("<{}.{thread}.{step}@{}>", index % CORRESPONDENTS.len(), host(from.address));
    let subject =
        if step == 0 { numbered(from.subject, thread) } else { format!("Re: {}", numbered(from.subject, thread)) };
    let mut letter = format!(
        "From: {} <{}>\nTo: Alice <alice@home.test>\nSubject: {}\nDate: {}\nMessage-ID: {}\n",
        encoded(from.name),
        from.address,
        encoded(&subject),
        date(at),
        id(step),
    );
    if step > 0 {
        let references: Vec<String> = (0..step).map(id).collect();
        letter += &format!("In-Reply-To: {}\nReferences: {}\n", id(step - 1), references.join("\n "));
    }
    if from.address.starts_with("list@") {
        letter += "List-Id: The Reading Circle <circle.books.test>\nPrecedence: list\n";
    }
    letter += "MIME-Version: 1.0\n";
    let text = body_text(from, index);
    letter += &match index % 4 {
        0 => plain(&text),
        1 => alternative(from, &text, index),
        2 => with_attachment(&text, index),
        _ => quoted_printable(&text),
    };
    letter.replace('\n', "\r\n")
}

fn numbered(subject: &str, thread: usize) -> String {
    if thread == 0 { subject.to_owned() } else { format!("{subject} ({})", thread + 1) }
}

fn body_text(from: &Correspondent, index: usize) -> String {
    let paragraphs = 1 + index % 6;
    let mut text = String::from("Alice,\n\n");
    for _ in 0..paragraphs {
        text += from.text;
        text += "\n\n";
    }
    text + from.name + "\n"
}

fn plain(text: &str) -> String {
    format!("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n{text}")
}

fn quoted_printable(text: &str) -> String {
    let mut out =
        String::from("Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\n");
    for line in text.lines() {
        let mut column = 0;
        for byte in line.bytes() {
            let piece = match byte {
                b'=' | 128.. => format!("={byte:02X}"),
                _ => char::from(byte).to_string(),
            };
            if column + piece.len() > 75 {
                out += "=\n";
                column = 0;
            }
            column += piece.len();
            out += &piece;
        }
        out.push('\n');
    }
    out
}

fn alternative(from: &Correspondent, text: &str, index: usize) -> String {
    let boundary = format!("alternative-{index}");
    format!(
        "Content-Type: multipart/alternative; boundary=\"{boundary}\"\n\n--{boundary}\n{}\n--{boundary}\n\
         Content-Type: text/html; charset=utf-8\nContent-Transfer-Encoding: 8bit\n\n\
         <!doctype html><html><body><p>Alice,</p><p>{}</p><p><em>{}</em></p></body></html>\n--{boundary}--\n",
        plain(text),
        from.text,
        from.name,
    )
}

fn with_attachment(text: &str, index: usize) -> String {
    let boundary = format!("mixed-{index}");
    let size = 1_000 + (index * 7_919) % 30_000;
    let bytes: Vec<u8> = (0..size).map(|at| ((at * 31 + index * 17) % 251) as u8).collect();
    format!(
        "Content-Type: multipart/mixed; boundary=\"{boundary}\"\n\n--{boundary}\n{}\n--{boundary}\n\
         Content-Type: image/jpeg; name=\"photo-{index}.jpg\"\nContent-Disposition: attachment; filename=\"photo-{index}.jpg\"\n\
         Content-Transfer-Encoding: base64\n\n{}--{boundary}--\n",
        plain(text),
        base64_lines(&bytes),
    )
}

fn base64_lines(bytes: &[u8]) -> String {
    use base64::Engine;
    // 57 bytes make a line of 76 characters.
    bytes.chunks(57).map(|chunk| base64::engine::general_purpose::STANDARD.encode(chunk) + "\n").collect()
}

/// An RFC 2047 encoded word where ASCII does not do, split between characters to stay within 75 octets.
fn encoded(text: &str) -> String {
    use base64::Engine;
    if text.is_ascii() {
        return text.to_owned();
    }
    let mut words = Vec::new();
    let mut word = String::new();
    for character in text.chars() {
        if word.len() + character.len_utf8() > 42 {
            words.push(std::mem::take(&mut word));
        }
        word.push(character);
    }
    words.push(word);
    let wrap = |word: &String| format!("=?utf-8?B?{}?=", base64::engine::general_purpose::STANDARD.encode(word));
    words.iter().map(wrap).collect::<Vec<_>>().join("\n ")
}

fn host(address: &str) -> &str {
    address.split_once('@').map_or(address, |(_, host)| host)
}

fn date(at: i64) -> String {
    let zoned = Timestamp::from_second(at).unwrap_or(Timestamp::UNIX_EPOCH).to_zoned(TimeZone::UTC);
    jiff::fmt::rfc2822::to_string(&zoned).unwrap_or_else(|_| "Thu, 1 Jan 1970 00:00:00 +0000".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn letters_have_crlf_lines_of_a_legal_length_and_an_ascii_header() {
        for index in 0..200 {
            let letter = compose(index, 1_790_000_000);
            assert!(!letter.replace("\r\n", "").contains(['\r', '\n']));
            assert!(letter.split("\r\n").all(|line| line.len() <= 998));
            let (header, _) = letter.split_once("\r\n\r\n").unwrap();
            assert!(header.is_ascii(), "{header}");
            assert!(header.split("\r\n").all(|line| line.len() <= 78), "{header}");
        }
    }

    #[test]
    fn the_same_number_gives_the_same_letter() {
        assert_eq!(compose(42, 1_790_000_000), compose(42, 1_790_000_000));
        assert_ne!(compose(42, 1_790_000_000), compose(43, 1_790_000_000));
    }
}
