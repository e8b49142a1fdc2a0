//! From a letter to the report in it: the MIME part, unpacked through a reader that stops in time.

use std::io::{self, Read};

use flate2::read::{DeflateDecoder, GzDecoder};
use mailstead_message::Summary;
use mailstead_message::report::Report;
use mailstead_message::summary::{Content, Part};
use mailstead_message::text;

use super::{MAX_LETTER, MAX_UNPACKED, Unreadable, complaint, dmarc, tls};

/// Parts of one letter that are tried: an honest one has one.
const MAX_TRIED: usize = 4;
/// What a gzip file begins with (RFC 1952 2.3.1).
const GZIP: &[u8] = &[0x1f, 0x8b];
/// What an entry of a zip file begins with.
const ZIP: &[u8] = b"PK\x03\x04";

/// The report in a letter.
///
/// # Errors
/// Why there is none that can be read. Time and memory are bounded whatever the letter.
pub fn read(message: &[u8]) -> Result<Report, Unreadable> {
    if message.len() as u64 > MAX_LETTER {
        return Err(Unreadable::TooLarge);
    }
    let summary = Summary::parse(message);
    let mut why = Unreadable::Nothing;
    let leaves = summary.parts().filter(|part| part.content == Content::Leaf);
    let candidates = leaves.filter_map(|part| {
        let bytes = text::content(message, part);
        (is_packed(&bytes) || is_named_so(part)).then_some(bytes)
    });
    for bytes in candidates.take(MAX_TRIED) {
        match unpack(&bytes, MAX_UNPACKED).and_then(|report| parse(&report)) {
            Ok(report) => return Ok(report),
            Err(error) => why = error,
        }
    }
    Err(why)
}

/// Reads a report that is already unpacked, XML or JSON by its first letter.
///
/// # Errors
/// Why it can't be read.
pub fn parse(report: &[u8]) -> Result<Report, Unreadable> {
    let report = report.strip_prefix(b"\xef\xbb\xbf").unwrap_or(report).trim_ascii_start();
    match report.first() {
        Some(b'<') => dmarc::read(report),
        Some(b'{') => tls::read(report),
        _ => Err(Unreadable::Nothing),
    }
}

fn is_packed(bytes: &[u8]) -> bool {
    bytes.starts_with(GZIP) || bytes.starts_with(ZIP)
}

/// Not packed: then the part must say that it is a report, for any HTML begins with `<`.
fn is_named_so(part: &Part) -> bool {
    let subtype = part.media_subtype.as_slice();
    let name = part.disposition.as_ref().and_then(|(_, params)| param(params, b"FILENAME"));
    let name = name.or_else(|| part.param("NAME")).unwrap_or_default().to_ascii_lowercase();
    matches!(subtype, b"XML" | b"JSON" | b"TLSRPT+JSON") || name.ends_with(b".xml") || name.ends_with(b".json")
}

fn param<'p>(params: &'p [(Vec<u8>, Vec<u8>)], name: &[u8]) -> Option<&'p [u8]> {
    params.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_slice())
}

/// Unpacks gzip and zip (its first file), once: what is in them is taken as it is. Stops with [`Unreadable::Bomb`]
/// behind `limit` bytes, having held no more.
///
/// # Errors
/// It is larger, or damaged.
pub fn unpack(bytes: &[u8], limit: usize) -> Result<Vec<u8>, Unreadable> {
    if bytes.starts_with(GZIP) {
        return capped(GzDecoder::new(bytes), limit);
    }
    match bytes.strip_prefix(ZIP) {
        Some(header) => unzip(header, limit),
        None if bytes.len() > limit => Err(Unreadable::Bomb),
        None => Ok(bytes.to_vec()),
    }
}

/// The first file of a zip file, by its local header (APPNOTE 4.3.7): its directory, which may lie about thousands of
/// files, is never looked at.
fn unzip(header: &[u8], limit: usize) -> Result<Vec<u8>, Unreadable> {
    const ENCRYPTED: u16 = 1;
    const LENGTH_FOLLOWS: u16 = 1 << 3;
    let damaged = || Unreadable::Packed("the zip file is cut short".to_owned());
    let number = |at: usize| header.get(at..at + 2).and_then(|bytes| Some(u16::from_le_bytes(bytes.try_into().ok()?)));
    let (flags, method) = (number(2).ok_or_else(damaged)?, number(4).ok_or_else(damaged)?);
    let length = header.get(14..18).and_then(|bytes| Some(u32::from_le_bytes(bytes.try_into().ok()?)));
    let (name, extra) = (number(22).ok_or_else(damaged)?, number(24).ok_or_else(damaged)?);
    let content = header.get(26 + usize::from(name) + usize::from(extra)..).ok_or_else(damaged)?;
    if flags & ENCRYPTED != 0 {
        return Err(Unreadable::Packed("the zip file is encrypted".to_owned()));
    }
    match (method, length) {
        (8, _) => capped(DeflateDecoder::new(content), limit),
        (0, Some(length)) if flags & LENGTH_FOLLOWS == 0 => {
            capped(content.get(..length as usize).ok_or_else(damaged)?, limit)
        }
        _ => Err(Unreadable::Packed("the zip file is of a rare kind".to_owned())),
    }
}

fn capped(reader: impl Read, limit: usize) -> Result<Vec<u8>, Unreadable> {
    let mut bytes = Vec::new();
    let read = reader.take(limit as u64 + 1).read_to_end(&mut bytes);
    match read {
        Ok(_) if bytes.len() > limit => Err(Unreadable::Bomb),
        Ok(_) => Ok(bytes),
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
            Err(Unreadable::Packed("it is cut short".to_owned()))
        }
        Err(error) => Err(Unreadable::Packed(complaint(&error))),
    }
}
