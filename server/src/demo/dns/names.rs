//! All names of the tiny internet, and the answer to each question about them.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, PoisonError, RwLock};

use hickory_server::proto::rr::{LowerName, Name, RData, Record, RecordType};

use super::entry::{Entry, Says};

/// CNAMEs followed for one question.
const CHAIN: usize = 16;

/// Who says something of a name; the later one is heard first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Layer {
    /// What the demo's servers publish, at their start and later.
    Published,
    /// What the user's file says.
    File,
}

type Sets = HashMap<LowerName, BTreeMap<RecordType, Vec<Entry>>>;

/// The names, shared between the name server and those who publish.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names {
    layers: Arc<RwLock<[Sets; 2]>>,
}

/// What a question comes to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Records: CNAMEs on the way, then what was asked for, if the chain ends at such.
    Records(Vec<Record>),
    /// The name exists, or its CNAMEs lead to one that does, without such records.
    NoRecords(Vec<Record>),
    /// There is no such name.
    NoName(Vec<Record>),
    /// SERVFAIL.
    Failure,
    /// Nothing at all.
    Silence,
}

impl Names {
    /// Publishes these entries, in place of what was published before under the same names and types.
    pub(crate) fn publish(&self, entries: Vec<Entry>) {
        let fresh = sort(entries);
        let mut layers = self.layers.write().unwrap_or_else(PoisonError::into_inner);
        for (name, sets) in fresh {
            layers[Layer::Published as usize].entry(name).or_default().extend(sets);
        }
    }

    /// Forgets everything the layer said, and says this.
    pub(super) fn replace(&self, layer: Layer, entries: Vec<Entry>) {
        self.layers.write().unwrap_or_else(PoisonError::into_inner)[layer as usize] = sort(entries);
    }

    pub(super) fn answer(&self, question: &LowerName, kind: RecordType) -> Reply {
        let layers = self.layers.read().unwrap_or_else(PoisonError::into_inner);
        let mut name = question.clone();
        let mut way = Vec::new();
        for _ in 0..CHAIN {
            let Some(entries) = set(&layers, &name, kind) else {
                let known = exists(&layers, &name);
                return if known { Reply::NoRecords(way) } else { Reply::NoName(way) };
            };
            let mut next = None;
            for entry in entries {
                match &entry.says {
                    Says::Data(data) => {
                        if let RData::CNAME(target) = data
                            && kind != RecordType::CNAME
                        {
                            next = Some(LowerName::from(&target.0));
                        }
                        way.push(Record::from_rdata(Name::from(&name), entry.ttl, data.clone()));
                    }
                    Says::NoRecords => return Reply::NoRecords(way),
                    Says::NoName => return Reply::NoName(way),
                    Says::Failure => return Reply::Failure,
                    Says::Silence => return Reply::Silence,
                }
            }
            match next {
                Some(target) => name = target,
                None => return Reply::Records(way),
            }
        }
        Reply::Records(way)
    }
}

fn sort(entries: Vec<Entry>) -> Sets {
    let mut sets = Sets::new();
    for entry in entries {
        sets.entry(entry.name.clone()).or_default().entry(entry.kind).or_default().push(entry);
    }
    sets
}

/// What the uppermost layer that has an opinion says of the name. Its CNAME hides what lower layers have there.
fn set<'a>(layers: &'a [Sets; 2], name: &LowerName, kind: RecordType) -> Option<&'a Vec<Entry>> {
    layers
        .iter()
        .rev()
        .filter_map(|sets| sets.get(name))
        .find_map(|kinds| [kind, RecordType::CNAME, RecordType::ANY].iter().find_map(|kind| kinds.get(kind)))
}

/// True for names with records, and for those above them (RFC 8020).
fn exists(layers: &[Sets; 2], name: &LowerName) -> bool {
    layers.iter().flat_map(HashMap::keys).any(|known| name.zone_of(known))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn name(text: &str) -> LowerName {
        LowerName::from(super::super::entry::absolute(text).unwrap())
    }

    fn entry(name: &str, kind: &str, value: &str) -> Entry {
        Entry::new(name, kind, value).unwrap()
    }

    fn shown(names: &Names, question: &str, kind: RecordType) -> Vec<String> {
        match names.answer(&name(question), kind) {
            Reply::Records(records) => records.iter().map(|record| record.data.to_string()).collect(),
            other => panic!("{question} {kind}: {other:?}"),
        }
    }

    #[test]
    fn the_file_is_heard_before_what_is_published_and_that_before_what_was() {
        let names = Names::default();
        names.publish(vec![entry("x.test", "A", "127.0.0.1"), entry("x.test", "TXT", "at first")]);
        names.publish(vec![entry("x.test", "TXT", "published"), entry("x.test", "TXT", "twice")]);
        assert_eq!(shown(&names, "X.test", RecordType::TXT), ["published", "twice"]);
        names.publish(vec![entry("x.test", "TXT", "anew")]);
        assert_eq!(shown(&names, "x.test", RecordType::TXT), ["anew"]);
        names.replace(Layer::File, vec![entry("x.test", "TXT", "of the file")]);
        assert_eq!(shown(&names, "x.test", RecordType::TXT), ["of the file"]);
        assert_eq!(shown(&names, "x.test", RecordType::A), ["127.0.0.1"]);
        names.replace(Layer::File, vec![entry("x.test", "CNAME", "y.test."), entry("y.test", "A", "127.0.0.2")]);
        assert_eq!(shown(&names, "x.test", RecordType::A), ["y.test.", "127.0.0.2"]);
        names.replace(Layer::File, Vec::new());
        assert_eq!(shown(&names, "x.test", RecordType::TXT), ["anew"]);
    }

    #[test]
    fn having_nothing_is_told_apart() {
        let names = Names::default();
        names.publish(vec![
            entry("_25._tcp.x.test", "TLSA", "3 1 1 aa"),
            entry("f.test", "ANY", "!SERVFAIL"),
            entry("s.test", "MX", "!SILENCE"),
            entry("s.test", "A", "127.0.0.1"),
        ]);
        assert_eq!(names.answer(&name("_tcp.x.test"), RecordType::A), Reply::NoRecords(Vec::new()));
        assert_eq!(names.answer(&name("y.test"), RecordType::A), Reply::NoName(Vec::new()));
        assert_eq!(names.answer(&name("f.test"), RecordType::TXT), Reply::Failure);
        assert_eq!(names.answer(&name("s.test"), RecordType::MX), Reply::Silence);
        names.replace(Layer::File, vec![entry("s.test", "A", "!NODATA")]);
        assert_eq!(names.answer(&name("s.test"), RecordType::A), Reply::NoRecords(Vec::new()));
    }

    #[test]
    fn a_loop_of_aliases_ends() {
        let names = Names::default();
        names.publish(vec![entry("a.test", "CNAME", "b.test."), entry("b.test", "CNAME", "a.test.")]);
        assert_eq!(shown(&names, "a.test", RecordType::A).len(), CHAIN);
    }
}
