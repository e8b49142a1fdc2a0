//! Signing a letter with our domain's keys (RFC 6376, RFC 8463).
//!
//! The header as it stands and a hash of the body ([`crate::body`], relaxed, SHA-256) come in, finished
//! `DKIM-Signature` fields go out. What is signed must not be changed afterwards: sign last.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use mailstead_message::Domain;
use mailstead_message::header::{self, Field};

use crate::fold::FoldedField;
use crate::keys::{Key, KeyError};

/// Signed once more often than they occur, even where they don't: one that is added on the way breaks the signature
/// (RFC 6376 5.4, 8.15).
const NEVER_TO_BE_ADDED: [&str; 7] = ["From", "Reply-To", "Subject", "Date", "To", "Cc", "Message-ID"];
/// The same, where there is one at all: lists and relays may add what is missing.
const NEVER_TO_BE_DOUBLED: [&str; 11] = [
    "Sender",
    "In-Reply-To",
    "References",
    "MIME-Version",
    "Content-Type",
    "Content-Transfer-Encoding",
    "Content-Disposition",
    "Content-Language",
    "Content-ID",
    "Auto-Submitted",
    "Autocrypt",
];
/// Signed as often as they are there: every hand it goes through may add its own.
const AS_THEY_ARE: [&str; 14] = [
    "Resent-Date",
    "Resent-From",
    "Resent-Sender",
    "Resent-To",
    "Resent-Cc",
    "Resent-Message-ID",
    "List-Id",
    "List-Help",
    "List-Post",
    "List-Owner",
    "List-Archive",
    "List-Subscribe",
    "List-Unsubscribe",
    "List-Unsubscribe-Post",
];
/// Fields of one name that are signed: of what honest letters have once or twice, more say nothing.
const MAX_OF_ONE_NAME: usize = 50;

/// A key and where its public half is published.
#[derive(Debug, Clone, Copy)]
pub struct Selected<'a> {
    /// The selector.
    pub selector: &'a str,
    /// The key.
    pub key: &'a Key,
}

/// The `DKIM-Signature` fields of a letter, one for each key, to be put before its header. `body_hash` is that of the
/// relaxed body.
///
/// # Errors
/// A key does not sign.
pub fn sign(
    domain: &Domain,
    keys: &[Selected<'_>],
    header: &[u8],
    body_hash: &[u8],
    now: i64,
) -> Result<String, KeyError> {
    let signed = SignedFields::select(header, &[]);
    let mut fields = String::new();
    for Selected { selector, key } in keys {
        let mut field = FoldedField::new("DKIM-Signature");
        field.word("v=1;");
        field.word(&format!("a={};", key.algorithm().signature_name()));
        field.word("c=relaxed/relaxed;");
        field.word(&format!("d={domain};"));
        field.word(&format!("s={selector};"));
        field.word(&format!("t={now};"));
        fields.push_str(&signed.seal(field, body_hash, key)?);
    }
    Ok(fields)
}

/// The fields that are signed.
pub(crate) struct SignedFields {
    /// Their names as `h=` lists them.
    names: Vec<&'static str>,
    /// What is signed of them.
    canonical: Vec<u8>,
}

impl SignedFields {
    /// Chooses from a header what letters are known by; `also` names more, signed as often as they are there.
    pub(crate) fn select(header: &[u8], also: &[&'static str]) -> Self {
        let fields: Vec<Field<'_>> = header::fields(header).collect();
        let mut selected = Self { names: Vec::new(), canonical: Vec::new() };
        // Listed once more, beyond the most that are signed, it would call for one that is there and not signed.
        for name in NEVER_TO_BE_ADDED {
            if selected.add(&fields, name) < MAX_OF_ONE_NAME {
                selected.names.push(name);
            }
        }
        for name in NEVER_TO_BE_DOUBLED {
            if (1..MAX_OF_ONE_NAME).contains(&selected.add(&fields, name)) {
                selected.names.push(name);
            }
        }
        for name in AS_THEY_ARE.iter().chain(also) {
            selected.add(&fields, name);
        }
        selected
    }

    /// Adds all fields of a name, the lowest first (RFC 6376 5.4.2); tells how many there are.
    fn add(&mut self, fields: &[Field<'_>], name: &'static str) -> usize {
        let mut there = 0;
        for field in fields.iter().rev().filter(|field| field.is(name)).take(MAX_OF_ONE_NAME) {
            relaxed(field.name, field.value, &mut self.canonical);
            self.canonical.extend_from_slice(b"\r\n");
            self.names.push(name);
            there += 1;
        }
        there
    }

    /// Ends a signature field with `h=`, `bh=` and `b=`.
    pub(crate) fn seal(&self, mut field: FoldedField, body_hash: &[u8], key: &Key) -> Result<String, KeyError> {
        for (index, name) in self.names.iter().enumerate() {
            let end = if index + 1 == self.names.len() { ";" } else { ":" };
            match index {
                0 => field.word(&format!("h={name}{end}")),
                _ => field.piece(&format!("{name}{end}")),
            }
        }
        field.word(&format!("bh={};", STANDARD.encode(body_hash)));
        finish(field, self.canonical.clone(), key)
    }
}

/// Ends a signature field with the signature of `text` and of the field itself (RFC 6376 3.7).
pub(crate) fn finish(mut field: FoldedField, mut text: Vec<u8>, key: &Key) -> Result<String, KeyError> {
    field.word("b=");
    if let Some((name, value)) = field.as_str().split_once(':') {
        relaxed(name, value.as_bytes(), &mut text);
    }
    field.cut_anywhere(&STANDARD.encode(key.sign(&text)?));
    Ok(field.finish())
}

/// A field in its relaxed shape, without its CRLF (RFC 6376 3.4.2).
pub(crate) fn relaxed(name: &str, value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(name.to_ascii_lowercase().as_bytes());
    out.push(b':');
    let start = out.len();
    let mut space = false;
    for &byte in value {
        match byte {
            b' ' | b'\t' => space = true,
            // Folding: the white space that follows counts.
            b'\r' | b'\n' => {}
            _ => {
                if space && out.len() > start {
                    out.push(b' ');
                }
                space = false;
                out.push(byte);
            }
        }
    }
}

#[cfg(test)]
mod tests;
