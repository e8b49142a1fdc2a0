//! Whether DNS says what it should: what an operator has published is looked at through the eyes of the world.

use mailstead_auth::keys::is_published;
use mailstead_auth::published::{Kind, Record};
use mailstead_message::Domain;
use mailstead_net::dns::{Dns, DnsError};

/// How a record stands in DNS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// As it should.
    Right,
    /// There is another of its kind.
    Another,
    /// There is nothing of its kind.
    Nothing,
    /// It can't be told now.
    Unknown,
}

impl Seen {
    fn of<T>(answer: Result<T, DnsError>, judge: impl FnOnce(T) -> Self) -> Self {
        match answer {
            Ok(found) => judge(found),
            Err(DnsError::NoName | DnsError::NoRecords) => Self::Nothing,
            Err(DnsError::Bogus(_) | DnsError::Temporary(_)) => Self::Unknown,
        }
    }
}

/// Looks a record up.
pub async fn look_up(dns: &dyn Dns, record: &Record) -> Seen {
    let target = || record.value.rsplit(' ').next().unwrap_or_default().trim_end_matches('.').to_owned();
    match record.kind {
        Kind::Txt => text(dns, &record.name, &record.value).await,
        Kind::Mx => {
            let Ok(domain) = Domain::parse(&record.name) else { return Seen::Unknown };
            Seen::of(dns.mx(&domain).await, |found| {
                let leads_here = found.records.iter().any(|mx| mx.host.eq_ignore_ascii_case(&target()));
                if leads_here { Seen::Right } else { Seen::Another }
            })
        }
        // Another name for a host is as good as the host's own addresses.
        Kind::Cname => {
            let host = target();
            let (here, there) = tokio::join!(dns.addresses(&record.name), dns.addresses(&host));
            let Ok(there) = there else { return Seen::Unknown };
            Seen::of(here, |here| {
                let same = here.records.iter().all(|address| there.records.contains(address));
                if same { Seen::Right } else { Seen::Another }
            })
        }
    }
}

/// Looks a text up. Only one of its kind may be there: two are as good as none to those who read them.
pub(crate) async fn text(dns: &dyn Dns, name: &str, wanted: &str) -> Seen {
    let is_key = wanted.starts_with("v=DKIM1");
    let version = plain(wanted.split([';', ' ']).next().unwrap_or_default().as_bytes());
    Seen::of(dns.txt(name).await, |answer| {
        let is_such = |text: &&Vec<u8>| is_key || plain(text).starts_with(&version);
        let such: Vec<&Vec<u8>> = answer.records.iter().filter(is_such).collect();
        match such.as_slice() {
            [] => Seen::Nothing,
            [only] if is_key && is_published(wanted, only) => Seen::Right,
            [only] if !is_key && plain(only) == plain(wanted.as_bytes()) => Seen::Right,
            _ => Seen::Another,
        }
    })
}

/// A text without what makes no difference.
fn plain(text: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(text).split_whitespace().collect();
    text.to_lowercase().trim_end_matches(';').to_owned()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use std::net::{IpAddr, Ipv4Addr};

    use mailstead_net::BoxFuture;
    use mailstead_net::dns::{Answer, Data, Kind as Question, Mx};

    use super::*;

    /// A DNS that says one thing.
    struct Says(Result<Vec<Data>, DnsError>);

    impl Dns for Says {
        fn ask<'a>(&'a self, name: &'a str, kind: Question) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
            let said = match (name, kind) {
                ("mail.home.test", Question::A) => Ok(vec![Data::Address(IpAddr::V4(Ipv4Addr::LOCALHOST))]),
                ("mail.home.test", _) => Err(DnsError::NoRecords),
                _ => self.0.clone(),
            };
            Box::pin(async { said.map(Answer::insecure) })
        }
    }

    fn texts(texts: &[&str]) -> Says {
        Says(Ok(texts.iter().map(|text| Data::Txt(text.as_bytes().to_vec())).collect()))
    }

    async fn seen(says: Says, kind: Kind, value: &str) -> Seen {
        let name = "home.test".to_owned();
        look_up(&says, &Record { name, kind, value: value.to_owned(), why: String::new(), obsolete: false }).await
    }

    #[tokio::test]
    async fn texts_are_told_from_others_by_their_version() {
        let spf = "v=spf1 mx -all";
        for (found, expected) in [
            (&["v=spf1 mx -all"][..], Seen::Right),
            (&["google-site-verification=1", "V=SPF1  mx -all"], Seen::Right),
            (&["v=spf1 a -all"], Seen::Another),
            (&["v=spf1 mx -all", "v=spf1 a -all"], Seen::Another),
            (&["google-site-verification=1"], Seen::Nothing),
        ] {
            assert_eq!(seen(texts(found), Kind::Txt, spf).await, expected, "{found:?}");
        }
        let key = "v=DKIM1; k=rsa; p=AAAA";
        assert_eq!(seen(texts(&["p=AAAA; t=s"]), Kind::Txt, key).await, Seen::Right);
        assert_eq!(seen(texts(&["p=AAAA", "p=BBBB"]), Kind::Txt, key).await, Seen::Another);
        assert_eq!(seen(texts(&["v=STSv1; id=7"]), Kind::Txt, "v=STSv1; id=7;").await, Seen::Right);
    }

    #[tokio::test]
    async fn hosts_are_compared_by_where_they_lead() {
        let mx = |host: &str| Says(Ok(vec![Data::Mx(Mx { preference: 5, host: host.to_owned() })]));
        assert_eq!(seen(mx("mail.home.test"), Kind::Mx, "10 mail.home.test.").await, Seen::Right);
        assert_eq!(seen(mx("mx.elsewhere.test"), Kind::Mx, "10 mail.home.test.").await, Seen::Another);
        let at = |address: [u8; 4]| Says(Ok(vec![Data::Address(IpAddr::from(address))]));
        assert_eq!(seen(at([127, 0, 0, 1]), Kind::Cname, "mail.home.test.").await, Seen::Right);
        assert_eq!(seen(at([192, 0, 2, 1]), Kind::Cname, "mail.home.test.").await, Seen::Another);
        for (error, expected) in [
            (DnsError::NoName, Seen::Nothing),
            (DnsError::NoRecords, Seen::Nothing),
            (DnsError::Temporary("down".into()), Seen::Unknown),
            (DnsError::Bogus("bad".into()), Seen::Unknown),
        ] {
            assert_eq!(seen(Says(Err(error.clone())), Kind::Mx, "10 mail.home.test.").await, expected, "{error}");
        }
    }
}
