//! Credentials as SASL's PLAIN (RFC 4616) and LOGIN bring them, the same in every mail protocol.

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
pub const ASK_LOGIN: &str = "VXNlcm5hbWU6";
/// What LOGIN asks next: `Password:`.
pub const ASK_PASSWORD: &str = "UGFzc3dvcmQ6";

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
    /// PLAIN asks to act as somebody else.
    #[error("nobody may act as somebody else here")]
    Identity,
}

/// Reads the response of PLAIN as it is on the wire, in base64.
///
/// # Errors
/// It is malformed, or asks for another identity.
pub fn plain(response: &str) -> Result<Credentials, CredentialsError> {
    plain_message(&decode(response)?)
}

/// Reads the response of PLAIN, base64 taken off.
///
/// # Errors
/// It is malformed, or asks for another identity.
pub fn plain_message(message: &[u8]) -> Result<Credentials, CredentialsError> {
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

/// Reads LOGIN's answer to [`ASK_LOGIN`].
///
/// # Errors
/// It is malformed.
pub fn login_name(response: &str) -> Result<String, CredentialsError> {
    name(&decode(response)?)
}

/// Reads LOGIN's answer to [`ASK_PASSWORD`].
///
/// # Errors
/// It is malformed.
pub fn login_password(response: &str) -> Result<Zeroizing<String>, CredentialsError> {
    secret(&decode(response)?)
}

fn decode(response: &str) -> Result<Zeroizing<Vec<u8>>, CredentialsError> {
    // An empty initial response is spelt `=` (RFC 4954 4, RFC 5034 4).
    let response = if response == "=" { "" } else { response };
    STANDARD.decode(response).map(Zeroizing::new).map_err(|_| CredentialsError::Base64)
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
        plain(&STANDARD.encode(message)).map(|c| (c.login, c.password.as_str().to_owned()))
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
            assert_eq!(plain(response).err(), Some(CredentialsError::Base64), "{response}");
        }
        assert_eq!(plain("=").err(), Some(CredentialsError::Shape));
    }

    #[test]
    fn login_speaks_in_two_steps() {
        assert_eq!(STANDARD.decode(ASK_LOGIN).unwrap(), b"Username:");
        assert_eq!(STANDARD.decode(ASK_PASSWORD).unwrap(), b"Password:");
        assert_eq!(login_name("YWxpY2U=").unwrap(), "alice");
        assert_eq!(login_password("c2VjcmV0").unwrap().as_str(), "secret");
        assert!(login_name("").is_err());
    }
}
