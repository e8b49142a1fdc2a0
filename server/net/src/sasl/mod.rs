//! Logging in by SASL, the same in every mail protocol: PLAIN (RFC 4616), LOGIN, SCRAM-SHA-256 and -PLUS (RFC 7677).
//!
//! Start reading at [`Offer`]: it begins an [`Exchange`], which takes the client's messages and ends in a [`Claim`].

mod binding;
mod exchange;
mod scram;
#[cfg(test)]
mod scram_tests;

pub use binding::Bindings;
pub use exchange::{Claim, Exchange, Mechanism, Offer, Turn};
pub use scram::Proof;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use zeroize::Zeroizing;

/// A login name and a password.
pub struct Credentials {
    /// Login name.
    pub login: String,
    /// Password; wiped when dropped.
    pub password: Zeroizing<String>,
}

impl std::fmt::Debug for Credentials {
    /// Without the password.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Credentials").field("login", &self.login).finish_non_exhaustive()
    }
}

/// What LOGIN asks first: `Username:`.
const ASK_LOGIN: &str = "VXNlcm5hbWU6";
/// What LOGIN asks next: `Password:`.
const ASK_PASSWORD: &str = "UGFzc3dvcmQ6";

/// Why credentials can't be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CredentialsError {
    /// Not base64 as RFC 4648 wants it, padding included.
    #[error("that is not base64")]
    Base64,
    /// Not UTF-8, a control character, or an empty name.
    #[error("login and password are UTF-8 without control characters")]
    Text,
    /// PLAIN without its two NULs.
    #[error("PLAIN has an identity, a login and a password, parted by NUL")]
    Shape,
    /// Somebody asks to act as somebody else.
    #[error("nobody may act as somebody else here")]
    Identity,
    /// Not a message of SCRAM, or not the one that is due.
    #[error("that is not what SCRAM says here (RFC 5802)")]
    Scram,
    /// SCRAM with an extension that must be understood.
    #[error("that extension of SCRAM is unknown here")]
    Extension,
    /// A nonce that is not this login's: an answer to another one.
    #[error("that answers another login")]
    Nonce,
    /// A kind of channel binding we don't have.
    #[error("this connection has tls-exporter (TLS 1.3) and tls-server-end-point to bind a login to")]
    BindingType,
    /// The client speaks over another TLS connection than we do.
    #[error("somebody stands between you and this server: the login is not bound to this TLS connection")]
    Binding,
}

impl CredentialsError {
    /// True where the login was understood and is refused, false where it was not understood.
    pub fn is_refusal(self) -> bool {
        matches!(self, Self::Identity | Self::Nonce | Self::Binding)
    }
}

/// Takes the base64 off a response that came with its command, where `=` stands for an empty one (RFC 4954 4,
/// RFC 5034 4).
///
/// # Errors
/// It is not base64.
pub fn initial_response(response: &str) -> Result<Zeroizing<Vec<u8>>, CredentialsError> {
    if response == "=" { Ok(Zeroizing::default()) } else { self::response(response.as_bytes()) }
}

/// Takes the base64 off a response.
///
/// # Errors
/// It is not base64.
pub fn response(line: &[u8]) -> Result<Zeroizing<Vec<u8>>, CredentialsError> {
    STANDARD.decode(line).map(Zeroizing::new).map_err(|_| CredentialsError::Base64)
}

/// Reads the response of PLAIN.
fn plain_message(message: &[u8]) -> Result<Credentials, CredentialsError> {
    let mut parts = message.split(|byte| *byte == 0);
    let (Some(identity), Some(login), Some(password), None) = (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(CredentialsError::Shape);
    };
    if !identity.is_empty() && identity != login {
        return Err(CredentialsError::Identity);
    }
    Ok(Credentials { login: name(login)?, password: secret(password)? })
}

fn name(bytes: &[u8]) -> Result<String, CredentialsError> {
    let name = std::str::from_utf8(bytes).map_err(|_| CredentialsError::Text)?;
    if name.is_empty() || name.chars().any(char::is_control) {
        return Err(CredentialsError::Text);
    }
    Ok(name.to_owned())
}

fn secret(bytes: &[u8]) -> Result<Zeroizing<String>, CredentialsError> {
    let secret = std::str::from_utf8(bytes).map_err(|_| CredentialsError::Text)?;
    if secret.contains('\0') {
        return Err(CredentialsError::Text);
    }
    Ok(Zeroizing::new(secret.to_owned()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn read(message: &[u8]) -> Result<(String, String), CredentialsError> {
        let exchange = Offer::default().begin(Mechanism::Plain).unwrap();
        assert_eq!(exchange.first_question(), "");
        match exchange.answer(message)? {
            Turn::Check(Claim::Password(given)) => Ok((given.login, given.password.as_str().to_owned())),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn plain_gives_login_and_password() {
        let pair = |login: &str, password: &str| Ok((login.to_owned(), password.to_owned()));
        assert_eq!(read(b"\0alice\0secret"), pair("alice", "secret"));
        assert_eq!(read(b"alice\0alice\0secret"), pair("alice", "secret"));
        assert_eq!(read("\0jörg@home.test\0pässword ".as_bytes()), pair("jörg@home.test", "pässword "));
        assert_eq!(read(b"\0alice\0"), pair("alice", ""));
    }

    #[test]
    fn plain_that_is_not_plain_is_refused() {
        for (message, error) in [
            (&b""[..], CredentialsError::Shape),
            (b"alice\0secret", CredentialsError::Shape),
            (b"\0alice\0sec\0ret", CredentialsError::Shape),
            (b"carol\0alice\0secret", CredentialsError::Identity),
            (b"\0\0secret", CredentialsError::Text),
            (b"\0al\nice\0secret", CredentialsError::Text),
            (b"\0alice\0\xff", CredentialsError::Text),
        ] {
            assert_eq!(read(message), Err(error), "{message:?}");
        }
        for response in ["AGFsaWNlAHNlY3JldA", "AGFsaWNlAHNlY3JldA=", "!", "AGFs aWNl", "AA=A"] {
            assert_eq!(initial_response(response).err(), Some(CredentialsError::Base64), "{response}");
        }
        assert!(initial_response("=").unwrap().is_empty());
        assert_eq!(response(b"=").err(), Some(CredentialsError::Base64));
    }

    #[test]
    fn login_speaks_in_two_steps() {
        assert_eq!(STANDARD.decode(ASK_LOGIN).unwrap(), b"Username:");
        assert_eq!(STANDARD.decode(ASK_PASSWORD).unwrap(), b"Password:");
        let begin = || Offer::default().begin(Mechanism::Login).unwrap();
        assert_eq!(begin().first_question(), ASK_LOGIN);
        let Ok(Turn::Ask(question, exchange)) = begin().answer(b"alice") else { panic!("no question") };
        assert_eq!(question, ASK_PASSWORD);
        let Ok(Turn::Check(claim)) = exchange.answer(b"secret") else { panic!("nothing to check") };
        assert_eq!((claim.login(), claim.guess()), ("alice", "secret"));
        assert!(begin().answer(b"").is_err());
    }
}
