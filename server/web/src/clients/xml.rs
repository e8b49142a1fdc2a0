//! Writing small XML documents.

use std::fmt::Write as _;

/// A document being written, two spaces to a level.
pub(super) struct Document {
    text: String,
    open: Vec<&'static str>,
}

impl Document {
    /// A document that begins with the declaration and these lines.
    pub(super) fn new(prologue: &str) -> Self {
        Self { text: format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{prologue}"), open: Vec::new() }
    }

    /// Opens an element with these attributes.
    pub(super) fn open(&mut self, name: &'static str, attributes: &[(&str, &str)]) {
        self.indent();
        let _ = write!(self.text, "<{name}");
        for (key, value) in attributes {
            let _ = write!(self.text, " {key}=\"{}\"", quick_xml::escape::escape(*value));
        }
        self.text.push_str(">\n");
        self.open.push(name);
    }

    /// Closes the element opened last.
    pub(super) fn close(&mut self) {
        if let Some(name) = self.open.pop() {
            self.indent();
            let _ = writeln!(self.text, "</{name}>");
        }
    }

    /// An element that holds nothing but text.
    pub(super) fn leaf(&mut self, name: &str, text: &str) {
        self.indent();
        let _ = writeln!(self.text, "<{name}>{}</{name}>", quick_xml::escape::escape(text));
    }

    /// An element that holds nothing.
    pub(super) fn empty(&mut self, name: &str) {
        self.indent();
        let _ = writeln!(self.text, "<{name}/>");
    }

    /// Closes what is open and gives the text.
    pub(super) fn finish(mut self) -> String {
        while !self.open.is_empty() {
            self.close();
        }
        self.text
    }

    fn indent(&mut self) {
        self.text.extend(std::iter::repeat_n("  ", self.open.len()));
    }
}
