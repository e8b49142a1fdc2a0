//! dkimpy (Debian's python3-dkim): signs and verifies with RSA and Ed25519, makes and verifies ARC sets.

use serde::{Deserialize, Serialize};

use super::SigningKey;
use crate::names::Names;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/referees/dkimpy.py");

/// dkimpy with the tiny internet's names.
#[derive(Debug, Clone, Copy)]
pub struct Dkimpy<'a>(pub &'a Names);

/// What dkimpy says of one signature.
#[derive(Debug, Clone, Deserialize)]
pub struct Signature {
    /// Whether it is right.
    pub valid: bool,
    /// Why not, if it said.
    pub reason: String,
    /// `d=`
    pub domain: String,
    /// `s=`
    pub selector: String,
    /// `a=`
    pub algorithm: String,
    /// `h=`, lower case.
    pub fields: Vec<String>,
    /// `l=`
    pub length: Option<String>,
}

/// What dkimpy says of a chain.
#[derive(Debug, Clone, Deserialize)]
pub struct ArcVerdict {
    /// `pass`, `fail`, `none`, or `terminated` for one that says of itself that it failed.
    pub cv: String,
    /// Sets looked at.
    pub sets: usize,
    /// Why.
    pub reason: String,
}

/// How to sign.
#[derive(Debug, Clone, Serialize)]
pub struct Signing<'a> {
    /// `d=`
    pub domain: &'a str,
    /// `s=`
    pub selector: &'a str,
    /// Header canonicalization.
    pub header: &'a str,
    /// Body canonicalization.
    pub body: &'a str,
    /// With `l=`.
    pub length: bool,
    /// `h=`
    pub fields: &'a [&'a str],
}

impl<'a> Signing<'a> {
    /// The way most senders sign.
    pub fn usual(domain: &'a str, selector: &'a str) -> Self {
        let fields = &["from", "to", "subject", "date", "message-id"];
        Self { domain, selector, header: "relaxed", body: "relaxed", length: false, fields }
    }
}

impl Dkimpy<'_> {
    /// Looks at every DKIM signature, in the order of the message.
    #[track_caller]
    pub fn verify(&self, message: &[u8]) -> Vec<Signature> {
        let said = self.run(&["verify"], message);
        serde_json::from_slice(&said).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&said)))
    }

    /// The message with a signature before it.
    #[track_caller]
    pub fn sign(&self, message: &[u8], key: &SigningKey, how: &Signing) -> Vec<u8> {
        self.sign_often(message, &[(key, how.clone())])
    }

    /// The message with several signatures before it, in this order.
    #[track_caller]
    pub fn sign_often(&self, message: &[u8], signatures: &[(&SigningKey, Signing)]) -> Vec<u8> {
        let signatures = signatures.iter().map(|(key, how)| {
            let mut options = serde_json::to_value(how).unwrap();
            options["key"] = key.file.to_str().into();
            options["algorithm"] = key.algorithm.into();
            options
        });
        let options = serde_json::json!({ "signatures": signatures.collect::<Vec<_>>() });
        self.run(&["sign", &options.to_string()], message)
    }

    /// Looks at the ARC chain.
    #[track_caller]
    pub fn arc_verify(&self, message: &[u8]) -> ArcVerdict {
        let said = self.run(&["arc-verify"], message);
        serde_json::from_slice(&said).unwrap_or_else(|e| panic!("{e}: {}", String::from_utf8_lossy(&said)))
    }

    /// The message with one more ARC set before it, made by `authserv`, of whom it must have Authentication-Results.
    #[track_caller]
    pub fn arc_sign(&self, message: &[u8], key: &SigningKey, domain: &str, selector: &str, authserv: &str) -> Vec<u8> {
        let options = serde_json::json!({
            "key": key.file.to_str(), "domain": domain, "selector": selector, "authserv": authserv,
            "fields": ["from", "to", "subject", "date", "message-id"],
        });
        self.run(&["arc-sign", &options.to_string()], message)
    }

    /// The Python of Debian, which has Debian's modules, whatever other one is in `PATH`.
    fn run(&self, arguments: &[&str], message: &[u8]) -> Vec<u8> {
        let said = self.0.tool("/usr/bin/python3").arg(PROGRAM).args(arguments).input(message).run();
        said.output.into_bytes()
    }
}
