//! A header field written tag by tag, folded where its lines get long.

/// Longest line (RFC 5322 2.1.1).
const WIDTH: usize = 78;
/// Columns of the tab that begins a folded line, as it is mostly shown.
const TAB: usize = 8;

/// A field under construction.
pub(crate) struct FoldedField {
    text: String,
    column: usize,
}

impl FoldedField {
    /// Begins a field of that name.
    pub(crate) fn new(name: &str) -> Self {
        Self { text: format!("{name}:"), column: name.len() + 1 }
    }

    /// A word behind a space, or on a line of its own.
    pub(crate) fn word(&mut self, word: &str) {
        if self.column + 1 + word.chars().count() > WIDTH {
            self.fold();
        } else {
            self.text.push(' ');
            self.column += 1;
        }
        self.raw(word);
    }

    /// A piece right behind what is there, or on a line of its own: white space must mean nothing here.
    pub(crate) fn piece(&mut self, piece: &str) {
        if self.column + piece.chars().count() > WIDTH {
            self.fold();
        }
        self.raw(piece);
    }

    /// A long text without blanks that may be cut anywhere, such as base64.
    pub(crate) fn cut_anywhere(&mut self, mut ascii: &str) {
        while !ascii.is_empty() {
            if self.column >= WIDTH {
                self.fold();
            }
            let room = (WIDTH - self.column).min(ascii.len());
            let (line, rest) = ascii.split_at_checked(room).unwrap_or((ascii, ""));
            self.raw(line);
            ascii = rest;
        }
    }

    /// As far as it is written, without its line end.
    pub(crate) fn as_str(&self) -> &str {
        &self.text
    }

    /// The field with its CRLF.
    pub(crate) fn finish(mut self) -> String {
        self.text.push_str("\r\n");
        self.text
    }

    fn raw(&mut self, text: &str) {
        self.text.push_str(text);
        self.column += text.chars().count();
    }

    fn fold(&mut self) {
        self.text.push_str("\r\n\t");
        self.column = TAB;
    }
}
