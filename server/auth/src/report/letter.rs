//! The letter that brings a report: TLS as RFC 8460 5.3 has it, DMARC as RFC 7489 7.2.1.1.

use std::fmt::Write as _;
use std::io::Write as _;

use base64::Engine as _;
use flate2::Compression;
use flate2::write::GzEncoder;
use mailstead_message::header::date;
use mailstead_message::report::{Findings, Report, ReportKind};
use mailstead_message::{Address, Domain};

use super::{dmarc, tls};

/// Characters of a line of base64 (RFC 2045 6.8).
const BASE64_LINE: usize = 76;

/// A report, packed.
#[derive(Debug, Clone)]
pub struct Packed {
    kind: ReportKind,
    /// The gzip file.
    pub bytes: Vec<u8>,
    file_name: String,
    subject: String,
    about: Domain,
    submitter: Domain,
}

/// The letter's envelope and names.
#[derive(Debug, Clone, Copy)]
pub struct Cover<'a> {
    /// Who sends it.
    pub from: &'a Address,
    /// To whom it goes.
    pub to: &'a [Address],
    /// A name nobody else uses, of letters and digits.
    pub id: &'a str,
    /// Now, in seconds since 1970.
    pub now: i64,
}

/// Packs a report about a domain, made by us, who are known as `submitter`.
///
/// # Errors
/// Never in practice: it is packed in memory.
pub fn pack(report: &Report, about: &Domain, submitter: &Domain) -> std::io::Result<Packed> {
    let (kind, text, suffix) = match &report.findings {
        Findings::Tls(rows) => (ReportKind::Tls, tls::write(report, about, rows), "json"),
        Findings::Dmarc(rows) => (ReportKind::Dmarc, dmarc::write(report, about, rows), "xml"),
    };
    let mut gzip = GzEncoder::new(Vec::new(), Compression::default());
    gzip.write_all(text.as_bytes())?;
    let Report { begin, end, id, .. } = report;
    let unique: String = id.chars().filter(char::is_ascii_alphanumeric).collect();
    Ok(Packed {
        kind,
        bytes: gzip.finish()?,
        file_name: format!("{}!{}!{begin}!{end}!{unique}.{suffix}.gz", submitter.as_str(), about.as_str()),
        subject: format!("Report Domain: {} Submitter: {} Report-ID: <{id}>", about.as_str(), submitter.as_str()),
        about: about.clone(),
        submitter: submitter.clone(),
    })
}

impl Packed {
    /// The content type of the file alone.
    pub fn media_type(&self) -> &'static str {
        match self.kind {
            ReportKind::Tls => "application/tlsrpt+gzip",
            ReportKind::Dmarc => "application/gzip",
        }
    }

    /// The letter, with CRLF line ends.
    pub fn letter(&self, cover: Cover<'_>) -> Vec<u8> {
        let boundary = format!("=_{}", cover.id);
        let mut out = self.header(cover, &boundary);
        let _ = write!(
            out,
            "--{boundary}\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n{}\r\n\
             --{boundary}\r\nContent-Type: {};\r\n\tname=\"{name}\"\r\nContent-Disposition: attachment;\r\n\
             \tfilename=\"{name}\"\r\nContent-Transfer-Encoding: base64\r\n\r\n",
            self.for_people(),
            self.media_type(),
            name = self.file_name,
        );
        let encoded = base64::engine::general_purpose::STANDARD.encode(&self.bytes);
        for line in encoded.as_bytes().chunks(BASE64_LINE) {
            out.push_str(&String::from_utf8_lossy(line));
            out.push_str("\r\n");
        }
        let _ = write!(out, "\r\n--{boundary}--\r\n");
        out.into_bytes()
    }

    fn header(&self, cover: Cover<'_>, boundary: &str) -> String {
        let Cover { from, to, id, now } = cover;
        let to = to.iter().map(|address| format!("<{address}>")).collect::<Vec<_>>().join(",\r\n\t");
        let (about, submitter) = (self.about.as_str(), self.submitter.as_str());
        let mut header = format!(
            "From: Mailstead <{from}>\r\nTo: {to}\r\nSubject: {}\r\nDate: {}\r\nMessage-ID: <{id}@{submitter}>\r\n\
             Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n",
            self.subject,
            date(now),
        );
        match self.kind {
            // A report on broken TLS must not be held up by it (RFC 8460 5.3, RFC 8689 4.2).
            ReportKind::Tls => {
                let _ = write!(
                    header,
                    "TLS-Report-Domain: {about}\r\nTLS-Report-Submitter: {submitter}\r\nTLS-Required: No\r\n\
                     Content-Type: multipart/report; report-type=\"tlsrpt\";\r\n\tboundary=\"{boundary}\"\r\n\r\n"
                );
            }
            ReportKind::Dmarc => {
                let _ = write!(header, "Content-Type: multipart/mixed;\r\n\tboundary=\"{boundary}\"\r\n\r\n");
            }
        }
        header
    }

    fn for_people(&self) -> String {
        let (about, submitter) = (self.about.as_str(), self.submitter.as_str());
        match self.kind {
            ReportKind::Tls => format!(
                "This is a report from {submitter} on how TLS went with the mail servers\r\nof {about}, \
                 as its TLSRPT record asks for (RFC 8460).\r\n"
            ),
            ReportKind::Dmarc => format!(
                "This is a report from {submitter} on letters that came in the name\r\nof {about}, \
                 as its DMARC record asks for (RFC 7489, RFC 9990).\r\n"
            ),
        }
    }
}
