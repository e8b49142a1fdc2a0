//! A login under way, whatever the mechanism: message by message, from the offer to what must be checked.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::scram::{self, Challenged, Opening, Proof};
use super::{ASK_LOGIN, ASK_PASSWORD, Bindings, Credentials, CredentialsError, name, plain_message, secret};

/// How somebody logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    /// `PLAIN` (RFC 4616)
    Plain,
    /// `LOGIN`, PLAIN in two steps, for old programs
    Login,
    /// `SCRAM-SHA-256` (RFC 7677)
    ScramSha256,
    /// `SCRAM-SHA-256-PLUS`: bound to the TLS connection
    ScramSha256Plus,
}

impl Mechanism {
    /// Reads its name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        let all = [Self::Plain, Self::Login, Self::ScramSha256, Self::ScramSha256Plus];
        all.into_iter().find(|mechanism| mechanism.name().eq_ignore_ascii_case(name))
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Plain => "PLAIN",
            Self::Login => "LOGIN",
            Self::ScramSha256 => "SCRAM-SHA-256",
            Self::ScramSha256Plus => "SCRAM-SHA-256-PLUS",
        }
    }
}

/// How one may log in on a connection under TLS.
#[derive(Debug, Clone, Default)]
pub struct Offer {
    bindings: Bindings,
    /// Salt, and rounds of PBKDF2.
    scram: Option<(Vec<u8>, u32)>,
}

impl Offer {
    /// PLAIN and LOGIN; and SCRAM where these terms are given (salt, rounds of PBKDF2), bound to the connection where it
    /// can be.
    pub fn new(bindings: Bindings, scram: Option<(Vec<u8>, u32)>) -> Self {
        Self { bindings, scram }
    }

    /// What is offered but LOGIN. PLAIN comes first: programs that take the first they know have a password that may be
    /// the account's own, with which SCRAM does not work.
    pub fn mechanisms(&self) -> impl Iterator<Item = &'static str> + use<> {
        let scram = self.scram.is_some();
        let plus = scram && !self.bindings.is_empty();
        let offered = [(true, Mechanism::Plain), (scram, Mechanism::ScramSha256), (plus, Mechanism::ScramSha256Plus)];
        offered.into_iter().filter(|(offered, _)| *offered).map(|(_, mechanism)| mechanism.name())
    }

    /// Begins a login; `None` when that mechanism is not offered.
    pub fn begin(&self, mechanism: Mechanism) -> Option<Exchange> {
        let plus = mechanism == Mechanism::ScramSha256Plus;
        Some(Exchange(match mechanism {
            Mechanism::Plain => Step::Plain,
            Mechanism::Login => Step::LoginName,
            Mechanism::ScramSha256Plus if self.bindings.is_empty() => return None,
            Mechanism::ScramSha256 | Mechanism::ScramSha256Plus => {
                let (salt, rounds) = self.scram.clone()?;
                let bindings = self.bindings.clone();
                Step::Scram(Opening { plus, bindings, salt, rounds, nonce: scram::nonce() })
            }
        }))
    }
}

/// A login under way.
#[derive(Debug)]
pub struct Exchange(Step);

#[derive(Debug)]
enum Step {
    Plain,
    LoginName,
    LoginPassword(String),
    Scram(Opening),
    ScramFinal(Challenged),
}

/// What comes next.
#[derive(Debug)]
pub enum Turn {
    /// Ask this, in base64 already, and go on with the answer.
    Ask(String, Exchange),
    /// All is said: check it.
    Check(Claim),
}

/// Who somebody claims to be, and by what.
#[derive(Debug)]
pub enum Claim {
    /// By the password itself.
    Password(Credentials),
    /// By the proof of having one.
    Proof(Proof),
}

impl Exchange {
    /// What is asked when nothing came with the command, in base64.
    pub fn first_question(&self) -> &'static str {
        if matches!(self.0, Step::LoginName) { ASK_LOGIN } else { "" }
    }

    /// Goes on with what the client says, base64 taken off.
    ///
    /// # Errors
    /// It is malformed, or asks for what nobody may have: the login has failed.
    pub fn answer(self, message: &[u8]) -> Result<Turn, CredentialsError> {
        Ok(match self.0 {
            Step::Plain => Turn::Check(Claim::Password(plain_message(message)?)),
            Step::LoginName => Turn::Ask(ASK_PASSWORD.to_owned(), Self(Step::LoginPassword(name(message)?))),
            Step::LoginPassword(login) => {
                Turn::Check(Claim::Password(Credentials { login, password: secret(message)? }))
            }
            Step::Scram(opening) => {
                let (first, challenged) = opening.answer(message)?;
                Turn::Ask(STANDARD.encode(first), Self(Step::ScramFinal(challenged)))
            }
            Step::ScramFinal(challenged) => Turn::Check(Claim::Proof(challenged.answer(message)?)),
        })
    }
}

impl Claim {
    /// Who.
    pub fn login(&self) -> &str {
        match self {
            Self::Password(credentials) => &credentials.login,
            Self::Proof(proof) => &proof.login,
        }
    }

    /// By what the guard against guessing tells one guess from another. Two proofs never look alike, and random
    /// passwords are not guessed: a device whose password was taken back must not lock its household out.
    pub fn guess(&self) -> &str {
        match self {
            Self::Password(credentials) => &credentials.password,
            Self::Proof(_) => "SCRAM",
        }
    }

    /// What somebody hears who was not admitted; the same whatever was wrong.
    pub fn denial(&self) -> &'static str {
        match self {
            Self::Password(_) => "wrong name or password",
            Self::Proof(_) => "wrong name or app password (the account's own password works with PLAIN only)",
        }
    }

    /// Checks it: by its password, or by a search for the keys (`ServerKey`) whose `StoredKey` it fits. With what comes
    /// back there is a last thing to say to a client that gave a proof, in base64.
    ///
    /// # Errors
    /// Those of the checks.
    pub async fn check<L, E>(
        &self,
        by_password: impl AsyncFnOnce(&str, &str) -> Result<Option<L>, E>,
        by_proof: impl FnOnce(&str, &dyn Fn(&[u8; 32]) -> bool) -> Result<Option<(L, [u8; 32])>, E>,
    ) -> Result<Option<(L, Option<String>)>, E> {
        match self {
            Self::Password(given) => Ok(by_password(&given.login, &given.password).await?.map(|found| (found, None))),
            Self::Proof(proof) => {
                let found = by_proof(&proof.login, &|stored_key| proof.fits(stored_key))?;
                Ok(found.map(|(found, server_key)| (found, Some(STANDARD.encode(proof.answer(&server_key))))))
            }
        }
    }
}
