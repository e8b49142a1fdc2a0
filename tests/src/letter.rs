//! Letters to send, and looking into letters received.

use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};

/// A letter to send.
#[derive(Debug, Clone)]
pub struct Letter {
    from: String,
    to: String,
    subject: String,
    body: String,
}

impl Letter {
    /// A letter with these addresses and this subject, which should be its own so that it can be found again.
    pub fn new(from: &str, to: &str, subject: &str) -> Self {
        let body = "A line.\r\n..and one with dots\r\n.\r\n.hidden\r\nThe last one.\r\n".to_owned();
        Self { from: from.into(), to: to.into(), subject: subject.into(), body }
    }

    /// Another body; CRLF lines.
    pub fn body(mut self, body: impl Into<String>) -> Self {
        self.body = body.into();
        self
    }

    /// A body of about this many bytes, lines of letters that do not compress to nothing, the same for the same seed.
    pub fn filled(self, bytes: usize, seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let mut body = String::with_capacity(bytes + 80);
        while body.len() < bytes {
            for _ in 0..11 {
                let word = WORDS[random.random_range(0..WORDS.len())];
                body.push_str(word);
                body.push(' ');
            }
            body.push_str(&format!("{:x}\r\n", random.random::<u32>()));
        }
        self.body(body)
    }

    /// Its bytes.
    pub fn bytes(&self) -> Vec<u8> {
        let Self { from, to, subject, body } = self;
        let id = subject.replace(|c: char| !c.is_ascii_alphanumeric(), "-");
        format!(
            "From: <{from}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: Tue, 24 Nov 2026 10:00:00 +0000\r\n\
             Message-ID: <{id}@letters.test>\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=us-ascii\r\n\
             \r\n{body}"
        )
        .into_bytes()
    }
}

const WORDS: [&str; 24] = [
    "harbour", "letter", "morning", "the", "of", "and", "garden", "window", "a", "slowly", "answer", "kitchen", "rain",
    "to", "brother", "in", "station", "winter", "is", "bread", "under", "with", "paper", "tomorrow",
];

/// The value of the first header field of that name, unfolded.
pub fn header(message: &[u8], name: &str) -> Option<String> {
    headers(message, name).into_iter().next()
}

/// The values of all header fields of that name, unfolded, in order.
pub fn headers(message: &[u8], name: &str) -> Vec<String> {
    let text = String::from_utf8_lossy(message);
    let head = text.split("\r\n\r\n").next().unwrap_or_default();
    let unfolded = head.replace("\r\n ", " ").replace("\r\n\t", " ");
    let fields = unfolded.split("\r\n").filter_map(|line| line.split_once(':'));
    fields.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim().to_owned()).collect()
}

/// True when `message` contains `part`.
pub fn contains(message: &[u8], part: &str) -> bool {
    message.windows(part.len()).any(|window| window == part.as_bytes())
}
