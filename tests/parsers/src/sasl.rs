//! Logins by SASL.

use mailstead_net::sasl::{self, Bindings, Claim, Mechanism, Offer, Turn};

use crate::assert_harmless;

/// Takes a mechanism's name and the client's messages, a line each; `{nonce}` is the nonce that was asked with.
pub fn sasl(input: &[u8]) {
    let mut lines = input.split(|byte| *byte == b'\n');
    let name = String::from_utf8_lossy(lines.next().unwrap_or_default());
    let offer = Offer::new(Bindings::default(), Some((vec![7; 16], 4_096)));
    let Some(mut exchange) = Mechanism::parse(&name).and_then(|mechanism| offer.begin(mechanism)) else { return };
    let mut nonce = String::new();
    for line in lines {
        let message = match std::str::from_utf8(line) {
            Ok(text) => text.replace("{nonce}", &nonce).into_bytes(),
            Err(_) => line.to_vec(),
        };
        match exchange.answer(&message) {
            Ok(Turn::Ask(question, next)) => {
                let asked = String::from_utf8(sasl::response(question.as_bytes()).unwrap().to_vec()).unwrap();
                assert_harmless(&asked);
                let told = asked.split(',').next().and_then(|part| part.strip_prefix("r="));
                nonce = told.unwrap_or_default().to_owned();
                exchange = next;
            }
            Ok(Turn::Check(claim)) => return assert_claim(&claim),
            Err(error) => return assert_harmless(&error.to_string()),
        }
    }
}

fn assert_claim(claim: &Claim) {
    assert_harmless(claim.login());
    assert!(!claim.login().is_empty());
    if let Claim::Proof(proof) = claim {
        assert!(!proof.fits(&[0; 32]), "a proof that needs no password");
    }
}
