//! DNS as a table, for the exchange's scenarios.

use std::sync::Mutex;

use mailstead_net::BoxFuture;
use mailstead_net::dns::{Answer, Data, Dns, DnsError, Kind};

/// Answers by name and kind; what is not in it does not exist.
#[derive(Default)]
pub(crate) struct Names {
    records: Mutex<Vec<(String, Kind, Data)>>,
    failing: Mutex<Vec<String>>,
}

impl Names {
    pub(crate) fn txt(&self, name: &str, text: &str) {
        self.records.lock().unwrap().push((name.to_owned(), Kind::Txt, Data::Txt(text.as_bytes().to_vec())));
    }

    pub(crate) fn address(&self, name: &str, ip: &str) {
        let reverse: Vec<&str> = ip.split('.').rev().collect();
        let reverse = format!("{}.in-addr.arpa", reverse.join("."));
        let mut records = self.records.lock().unwrap();
        records.push((name.to_owned(), Kind::A, Data::Address(ip.parse().unwrap())));
        records.push((reverse, Kind::Ptr, Data::Name(name.to_owned())));
    }

    /// From now on the servers of names that end like this fail.
    pub(crate) fn fail(&self, name: &str) {
        self.failing.lock().unwrap().push(name.to_owned());
    }
}

impl Dns for Names {
    fn ask<'a>(&'a self, name: &'a str, kind: Kind) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
        Box::pin(async move {
            if self.failing.lock().unwrap().iter().any(|end| name.ends_with(end)) {
                return Err(DnsError::Temporary("SERVFAIL".to_owned()));
            }
            let records = self.records.lock().unwrap();
            let found = records.iter().filter(|(other, other_kind, _)| other == name && *other_kind == kind);
            let found: Vec<Data> = found.map(|(_, _, data)| data.clone()).collect();
            if found.is_empty() { Err(DnsError::NoName) } else { Ok(Answer::insecure(found)) }
        })
    }
}
