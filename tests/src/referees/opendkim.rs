//! OpenDKIM's library behind `opendkim-testmsg`, which verifies and signs without a mail server.

use super::SigningKey;
use crate::names::Names;

/// OpenDKIM with the tiny internet's names.
#[derive(Debug, Clone, Copy)]
pub struct OpenDkim<'a>(pub &'a Names);

impl OpenDkim<'_> {
    /// What it says against a message: nothing if a signature is right.
    ///
    /// # Errors
    /// Its complaint.
    pub fn verify(&self, message: &[u8]) -> Result<(), String> {
        let said = self.0.tool("opendkim-testmsg").input(message).run_any();
        match said.status {
            0 => Ok(()),
            _ => Err(said.errors),
        }
    }

    /// The message with its signature before it, of the kind of its day: rsa-sha1, relaxed/simple.
    #[track_caller]
    pub fn sign(&self, message: &[u8], key: &SigningKey, domain: &str, selector: &str) -> Vec<u8> {
        let tool = self.0.tool("opendkim-testmsg").args(["-C", "-d", domain, "-s", selector, "-k"]).arg(&key.file);
        let said = tool.input(message).run();
        said.output.into_bytes()
    }
}
