//! MTA-STS: the policy file and the TXT record, as a stranger's host and DNS give them.

use mailstead_outbound::sts::{Policy, record_id};

use crate::assert_harmless;

/// Takes a policy file, or TXT records line by line.
pub fn sts_policy(bytes: &[u8]) {
    if let Ok(policy) = Policy::parse(&String::from_utf8_lossy(bytes)) {
        let printed = policy.to_string();
        assert_harmless(&printed.replace("\r\n", ""));
        assert_eq!(Policy::parse(&printed).as_ref(), Ok(&policy), "printed as {printed:?}");
        assert_eq!(record_id(&[policy.record().into_bytes()]), Ok(Some(policy.id())));
        for pattern in &policy.mx {
            let host = pattern.to_string().replace('*', "a");
            assert!(policy.allows(&host), "{pattern} does not match {host}");
            assert!(!policy.allows(&format!("a.b.{host}")) || policy.mx.len() > 1);
        }
    }
    let records: Vec<Vec<u8>> = bytes.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    if let Ok(Some(id)) = record_id(&records) {
        assert!(id.len() <= 32 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()), "{id:?}");
    }
}
