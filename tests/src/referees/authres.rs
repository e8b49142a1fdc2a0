//! authres (Debian's python3-authres): reads `Authentication-Results` by the grammar of RFC 8601.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::Tool;

const PROGRAM: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/src/referees/read_results.py");

/// One `Authentication-Results` field.
#[derive(Debug, Clone, Deserialize)]
pub struct ResultsField {
    /// Who says so.
    pub by: String,
    /// What.
    pub results: Vec<MethodResult>,
}

/// The result of one method.
#[derive(Debug, Clone, Deserialize)]
pub struct MethodResult {
    /// The method.
    pub method: String,
    /// Its result.
    pub result: String,
    /// Why.
    pub reason: Option<String>,
    /// What it was applied to, such as `header.d`.
    pub properties: BTreeMap<String, String>,
}

/// All fields of a message.
///
/// # Panics
/// When one can't be read; the message says where.
#[track_caller]
pub fn authentication_results(message: &[u8]) -> Vec<ResultsField> {
    // The Python of Debian, which has Debian's modules.
    let said = Tool::new("/usr/bin/python3").arg(PROGRAM).input(message).run();
    serde_json::from_str(&said.output).unwrap_or_else(|e| panic!("{e}: {said}"))
}
