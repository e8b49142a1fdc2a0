//! SEARCH (RFC 3501 6.4.4, RFC 4731, RFC 7162 3.1.5).
//!
//! [`condition`] is what must hold, the cheap parts first; [`candidate`] reads of a message what a condition asks
//! for, and no more; [`worker`] goes through the mailbox on blocking threads.

mod candidate;
mod condition;
mod worker;

use condition::Condition;
use worker::{Found, Job};

use crate::connection::Connection;
use crate::reply::{Failure, Reply};
use crate::session::Session;
use crate::wire::{Ranges, Search, SearchKey, SearchReturn, encode};

pub(super) async fn search(
    session: &mut Session,
    connection: &mut Connection,
    tag: &str,
    by_uid: bool,
    search: Search,
) -> Result<Reply, Failure> {
    let asks_modseq = names_modseq(&search.key);
    if asks_modseq {
        session.enable_condstore(&mut connection.out);
    }
    let view = session.view()?;
    let (condition, selection) = Condition::compile(search.key, view);
    let job =
        Job { store_mailbox: view.mailbox, first_recent: view.first_recent(), condition, needs_modseq: asks_modseq };
    let found = worker::search(session.store.clone(), job, selection).await?;
    match search.returns {
        Some(returns) => extended(tag, by_uid, returns, asks_modseq, &found, &mut connection.out),
        None => plain(by_uid, asks_modseq, &found, &mut connection.out),
    }
    Ok(Reply::ok("searched"))
}

fn names_modseq(key: &SearchKey) -> bool {
    match key {
        SearchKey::ModSeq(_) => true,
        SearchKey::And(keys) => keys.iter().any(names_modseq),
        SearchKey::Or(both) => names_modseq(&both.0) || names_modseq(&both.1),
        SearchKey::Not(key) => names_modseq(key),
        _ => false,
    }
}

fn number(found: &Found, by_uid: bool) -> u32 {
    if by_uid { found.uid.0 } else { found.number }
}

fn plain(by_uid: bool, with_modseq: bool, found: &[Found], out: &mut Vec<u8>) {
    out.extend_from_slice(b"* SEARCH");
    for one in found {
        encode::number_in(b" ", u64::from(number(one, by_uid)), b"", out);
    }
    if let Some(highest) = found.iter().map(|one| one.modseq.0).max().filter(|_| with_modseq) {
        encode::number_in(b" (MODSEQ ", highest, b")", out);
    }
    out.extend_from_slice(b"\r\n");
}

fn extended(tag: &str, by_uid: bool, returns: SearchReturn, with_modseq: bool, found: &[Found], out: &mut Vec<u8>) {
    out.extend_from_slice(b"* ESEARCH (TAG ");
    encode::string(tag.as_bytes(), out);
    out.push(b')');
    if by_uid {
        out.extend_from_slice(b" UID");
    }
    let (first, last) = (found.first(), found.last());
    if let Some(first) = first.filter(|_| returns.min) {
        encode::number_in(b" MIN ", u64::from(number(first, by_uid)), b"", out);
    }
    if let Some(last) = last.filter(|_| returns.max) {
        encode::number_in(b" MAX ", u64::from(number(last, by_uid)), b"", out);
    }
    if returns.all && !found.is_empty() {
        let all = Ranges::from_ascending(found.iter().map(|one| number(one, by_uid)));
        out.extend_from_slice(format!(" ALL {all}").as_bytes());
    }
    if returns.count {
        encode::number_in(b" COUNT ", found.len() as u64, b"", out);
    }
    if with_modseq {
        // RFC 7162 3.1.10: of the messages told of, which for MIN and MAX alone are only those.
        let ends = [first.filter(|_| returns.min), last.filter(|_| returns.max)];
        let highest = if returns.all || returns.count {
            found.iter().map(|one| one.modseq.0).max()
        } else {
            ends.into_iter().flatten().map(|one| one.modseq.0).max()
        };
        if let Some(highest) = highest {
            encode::number_in(b" MODSEQ ", highest, b"", out);
        }
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]

    use mailstead_store::{ModSeq, Uid};

    use super::*;

    fn found() -> Vec<Found> {
        [(1, 10, 5), (2, 11, 9), (4, 20, 7)]
            .map(|(number, uid, modseq)| Found { number, uid: Uid(uid), modseq: ModSeq(modseq) })
            .to_vec()
    }

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn plain_responses_list_numbers() {
        assert_eq!(written(|out| plain(false, false, &found(), out)), "* SEARCH 1 2 4\r\n");
        assert_eq!(written(|out| plain(true, true, &found(), out)), "* SEARCH 10 11 20 (MODSEQ 9)\r\n");
        assert_eq!(written(|out| plain(true, true, &[], out)), "* SEARCH\r\n");
    }

    #[test]
    fn extended_responses_tell_what_was_asked_for() {
        let told = |min, max, all, count, modseq| {
            let returns = SearchReturn { min, max, all, count };
            written(|out| extended("a1", true, returns, modseq, &found(), out))
        };
        assert_eq!(told(false, false, true, true, false), "* ESEARCH (TAG \"a1\") UID ALL 10:11,20 COUNT 3\r\n");
        assert_eq!(told(true, true, false, false, true), "* ESEARCH (TAG \"a1\") UID MIN 10 MAX 20 MODSEQ 7\r\n");
        let returns = SearchReturn { all: true, count: true, ..SearchReturn::default() };
        assert_eq!(written(|out| extended("a", false, returns, true, &[], out)), "* ESEARCH (TAG \"a\") COUNT 0\r\n");
    }
}
