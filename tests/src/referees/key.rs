//! A sender's key for signing.

use std::path::{Path, PathBuf};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;

use crate::Tool;

/// The public part of an Ed25519 key is the end of its SubjectPublicKeyInfo, the private one that of its PKCS #8 shape.
const ED25519: usize = 32;

/// A DKIM key of a sender whom the tests play.
#[derive(Debug, Clone)]
pub struct SigningKey {
    /// `rsa-sha256`, or `ed25519-sha256`.
    pub algorithm: &'static str,
    /// The private key: PEM for RSA, the base64 of the seed for Ed25519, as dkimpy reads them.
    pub file: PathBuf,
    /// The base64 in `p=`.
    pub public: String,
}

impl SigningKey {
    /// Makes an RSA key of so many bits in `folder`.
    #[track_caller]
    pub fn rsa(folder: &Path, name: &str, bits: u32) -> Self {
        let file = folder.join(name);
        Tool::new("openssl").args(["genrsa", "-traditional", "-out"]).arg(&file).arg(bits.to_string()).run();
        let public = BASE64_STANDARD.encode(public_der(&file, folder));
        Self { algorithm: "rsa-sha256", file, public }
    }

    /// Makes an Ed25519 key in `folder`.
    #[track_caller]
    pub fn ed25519(folder: &Path, name: &str) -> Self {
        let (file, pem) = (folder.join(name), folder.join(format!("{name}.pem")));
        Tool::new("openssl").args(["genpkey", "-algorithm", "ed25519", "-out"]).arg(&pem).run();
        let private = der(&["pkey", "-outform", "DER"], &pem, folder);
        std::fs::write(&file, BASE64_STANDARD.encode(end(&private))).unwrap();
        let public = BASE64_STANDARD.encode(end(&public_der(&pem, folder)));
        Self { algorithm: "ed25519-sha256", file, public }
    }

    /// Its record, without the name.
    pub fn record(&self) -> String {
        let kind = self.algorithm.split('-').next().unwrap_or_default();
        format!("v=DKIM1; k={kind}; p={}", self.public)
    }
}

/// A line of a zone file with a TXT record, in strings of the length DNS allows.
pub fn txt_line(name: &str, value: &str) -> String {
    let pieces = value.as_bytes().chunks(250).map(|piece| format!("\"{}\"", String::from_utf8_lossy(piece)));
    format!("{name}. 5 IN TXT {}\n", pieces.collect::<Vec<_>>().join(" "))
}

fn public_der(private: &Path, folder: &Path) -> Vec<u8> {
    der(&["pkey", "-pubout", "-outform", "DER"], private, folder)
}

fn der(arguments: &[&str], key: &Path, folder: &Path) -> Vec<u8> {
    let out = folder.join("der");
    Tool::new("openssl").args(arguments).arg("-in").arg(key).arg("-out").arg(&out).run();
    std::fs::read(out).unwrap()
}

fn end(der: &[u8]) -> &[u8] {
    &der[der.len() - ED25519..]
}
