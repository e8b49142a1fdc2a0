//! Parameters of MAIL and RCPT: ` KEYWORD=value` (RFC 5321 4.1.2).

use mailstead_message::xtext;

use super::CommandError;
use crate::server::{MailFrom, NotifyParam};

/// ENVID is at most this long as sent (RFC 3461 4.4).
const MAX_ENVID: usize = 100;
/// ORCPT is at most this long as sent (RFC 3461 4.2).
const MAX_ORCPT: usize = 500;
/// A SIZE has at most this many digits (RFC 1870 3).
const MAX_SIZE_DIGITS: usize = 20;

/// Reads the parameters of MAIL into `from`.
pub(super) fn mail(text: &str, from: &mut MailFrom) -> Result<(), CommandError> {
    let mut seen = Seen::default();
    for parameter in each(text)? {
        let (keyword, value) = parameter?;
        seen.once(keyword)?;
        match (keyword.to_ascii_uppercase().as_str(), value) {
            ("SIZE", Some(value)) => from.size = Some(size(value)?),
            ("BODY", Some(value)) => from.eight_bit = eight_bit(value)?,
            ("SMTPUTF8", None) => from.smtputf8 = true,
            ("REQUIRETLS", None) => from.require_tls = true,
            ("ENVID", Some(value)) => {
                let decoded = (value.len() <= MAX_ENVID).then(|| xtext::decode(value)).flatten();
                from.envid = Some(decoded.ok_or(CommandError::Syntax("ENVID is not valid xtext"))?);
            }
            ("RET", Some(value)) if value.eq_ignore_ascii_case("FULL") => from.ret_full = Some(true),
            ("RET", Some(value)) if value.eq_ignore_ascii_case("HDRS") => from.ret_full = Some(false),
            // Who submitted it somewhere else is a claim nobody vouches for (RFC 4954 5): taken, not used.
            ("AUTH", Some(_)) => {}
            ("SIZE" | "BODY" | "SMTPUTF8" | "ENVID" | "RET" | "AUTH" | "REQUIRETLS", _) => {
                return Err(CommandError::Syntax("a parameter has the wrong value"));
            }
            _ => return Err(CommandError::UnknownParameter),
        }
    }
    Ok(())
}

/// What RCPT's parameters say.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct RcptParameters {
    pub(super) notify: Option<NotifyParam>,
    pub(super) orcpt: Option<(String, String)>,
}

/// Reads the parameters of RCPT.
pub(super) fn rcpt(text: &str) -> Result<RcptParameters, CommandError> {
    let mut parameters = RcptParameters::default();
    let mut seen = Seen::default();
    for parameter in each(text)? {
        let (keyword, value) = parameter?;
        seen.once(keyword)?;
        match (keyword.to_ascii_uppercase().as_str(), value) {
            ("NOTIFY", Some(value)) => parameters.notify = Some(notify(value)?),
            ("ORCPT", Some(value)) => {
                parameters.orcpt = Some(orcpt(value).ok_or(CommandError::Syntax("ORCPT is not valid"))?);
            }
            ("NOTIFY" | "ORCPT", None) => return Err(CommandError::Syntax("a parameter has the wrong value")),
            _ => return Err(CommandError::UnknownParameter),
        }
    }
    Ok(parameters)
}

type Parameter<'a> = Result<(&'a str, Option<&'a str>), CommandError>;

fn each(text: &str) -> Result<impl Iterator<Item = Parameter<'_>>, CommandError> {
    if !text.is_empty() && !text.starts_with(' ') {
        return Err(CommandError::Syntax("a space is missing behind the address"));
    }
    Ok(text.split(' ').filter(|word| !word.is_empty()).map(|word| {
        let (keyword, value) = match word.split_once('=') {
            Some((keyword, value)) => (keyword, Some(value)),
            None => (word, None),
        };
        let valid = keyword.starts_with(|c: char| c.is_ascii_alphanumeric())
            && keyword.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && value != Some("");
        if valid { Ok((keyword, value)) } else { Err(CommandError::Syntax("a parameter is malformed")) }
    }))
}

/// No command has more than a handful of parameters, and none twice.
#[derive(Default)]
struct Seen<'a>(Vec<&'a str>);

impl<'a> Seen<'a> {
    fn once(&mut self, keyword: &'a str) -> Result<(), CommandError> {
        if self.0.iter().any(|other| other.eq_ignore_ascii_case(keyword)) {
            return Err(CommandError::Syntax("a parameter is given twice"));
        }
        self.0.push(keyword);
        Ok(())
    }
}

fn size(value: &str) -> Result<u64, CommandError> {
    if value.len() > MAX_SIZE_DIGITS || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(CommandError::Syntax("SIZE is not a number of octets"));
    }
    // Twenty digits may still be more than fits: it is too large for us either way.
    Ok(value.parse().unwrap_or(u64::MAX))
}

fn eight_bit(value: &str) -> Result<bool, CommandError> {
    if value.eq_ignore_ascii_case("7BIT") {
        Ok(false)
    } else if value.eq_ignore_ascii_case("8BITMIME") {
        Ok(true)
    } else {
        Err(CommandError::Syntax("BODY is 7BIT or 8BITMIME here"))
    }
}

fn notify(value: &str) -> Result<NotifyParam, CommandError> {
    const WRONG: CommandError = CommandError::Syntax("NOTIFY is NEVER, or some of SUCCESS, FAILURE, DELAY");
    if value.eq_ignore_ascii_case("NEVER") {
        return Ok(NotifyParam { never: true, ..NotifyParam::default() });
    }
    let mut notify = NotifyParam::default();
    for word in value.split(',') {
        match word.to_ascii_uppercase().as_str() {
            "SUCCESS" => notify.success = true,
            "FAILURE" => notify.failure = true,
            "DELAY" => notify.delay = true,
            _ => return Err(WRONG),
        }
    }
    Ok(notify)
}

fn orcpt(value: &str) -> Option<(String, String)> {
    if value.len() > MAX_ORCPT {
        return None;
    }
    let (kind, address) = value.split_once(';')?;
    let is_atom = !kind.is_empty() && kind.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
    if !is_atom || address.is_empty() {
        return None;
    }
    let decoded =
        if kind.eq_ignore_ascii_case("utf-8") { xtext::decode_utf8_address(address)? } else { xtext::decode(address)? };
    Some((kind.to_ascii_lowercase(), decoded))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    #[test]
    fn all_parameters_of_mail_are_understood() {
        let mut from = MailFrom::default();
        mail(" size=1000 BODY=8bitmime SMTPUTF8 ENVID=a+2Bb RET=hdrs AUTH=<> requiretls", &mut from).unwrap();
        let wanted = MailFrom {
            reverse_path: None,
            size: Some(1_000),
            eight_bit: true,
            smtputf8: true,
            envid: Some("a+b".into()),
            ret_full: Some(false),
            require_tls: true,
        };
        assert_eq!(from, wanted);
        mail(" SIZE=99999999999999999999", &mut from).unwrap();
        assert_eq!(from.size, Some(u64::MAX));
    }

    #[test]
    fn wrong_parameters_of_mail_are_refused() {
        for (text, error) in [
            (" SIZE=", None),
            (" SIZE", None),
            (" SIZE=-1", None),
            (" SIZE=+1", None),
            (" SIZE=999999999999999999999", None),
            (" SIZE=1 SIZE=1", None),
            (" SIZE=1 size=2", None),
            (" BODY=BINARYMIME", None),
            (" SMTPUTF8=yes", None),
            (" REQUIRETLS=yes", None),
            (" ENVID=a+0A", None),
            (" RET=SOME", None),
            (" =1", None),
            ("SIZE=1", None),
            (" NOTIFY=NEVER", Some(CommandError::UnknownParameter)),
            (" XYZ", Some(CommandError::UnknownParameter)),
        ] {
            let refused = mail(text, &mut MailFrom::default()).unwrap_err();
            match error {
                Some(error) => assert_eq!(refused, error, "{text}"),
                None => assert!(matches!(refused, CommandError::Syntax(_)), "{text}: {refused}"),
            }
        }
        assert!(mail(&format!(" ENVID={}", "x".repeat(101)), &mut MailFrom::default()).is_err());
    }

    #[test]
    fn all_parameters_of_rcpt_are_understood() {
        let parameters = rcpt(" NOTIFY=SUCCESS,delay ORCPT=RFC822;b+2Bc@x.test").unwrap();
        let notify = NotifyParam { success: true, delay: true, ..NotifyParam::default() };
        assert_eq!(parameters.notify, Some(notify));
        assert_eq!(parameters.orcpt, Some(("rfc822".into(), "b+c@x.test".into())));
        assert!(rcpt(" NOTIFY=NEVER").unwrap().notify.unwrap().never);
        assert_eq!(rcpt(r" ORCPT=utf-8;j\x{F6}@x.test").unwrap().orcpt.unwrap().1, "jö@x.test");
    }

    #[test]
    fn wrong_parameters_of_rcpt_are_refused() {
        for text in [
            " NOTIFY=NEVER,DELAY",
            " NOTIFY=",
            " NOTIFY=,",
            " NOTIFY",
            " ORCPT=x",
            " ORCPT=;x",
            " ORCPT=rfc822;",
            " ORCPT=rfc822;a+0D+0ABcc",
            " ORCPT=rf c;x",
            " SIZE=1",
        ] {
            assert!(rcpt(text).is_err(), "{text}");
        }
    }
}
