//! Are our addresses on a block list (RFC 5782)?

use std::net::{IpAddr, Ipv4Addr};

use futures_util::future::join_all;
use mailstead_net::dns::DnsError;

use super::finding::{Finding, Subject};
use super::{Names, Patient, words};

pub(super) const SUBJECT: Subject = Subject {
    id: "block-lists",
    title: "Block lists",
    why: "Many servers refuse letters from addresses on such a list, or put them into junk.",
};

/// RFC 5782 5: this one is on every list that works, the next on none.
const ALWAYS: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));
const NEVER: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));

/// What a list says of an address.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    /// It is on it, for this.
    Listed(Ipv4Addr),
    /// It is not.
    Clean,
    /// It does not say: it refuses the resolver, is gone, or does not answer.
    Silent(&'static str),
}

const REFUSED: &str = "refuses our resolver";
const GONE: &str = "is no working list (any more)";
const MUTE: &str = "does not answer";

pub(super) async fn look(patient: &Patient, names: &Names) -> Vec<Finding> {
    let lists = &patient.probes.block_lists;
    if lists.is_empty() || names.public.is_empty() {
        return Vec::new();
    }
    let asked = lists.iter().map(|list| async move { (list.as_str(), of_list(patient, list, &names.public).await) });
    let said: Vec<(&str, Vec<Word>)> = join_all(asked).await;
    let mut findings = Vec::new();
    for (at, address) in names.public.iter().enumerate() {
        for (list, words) in &said {
            if let Some(Word::Listed(code)) = words.get(at) {
                findings.push(listed(*address, list, *code));
            }
        }
    }
    let silent = said.iter().filter_map(|(list, words)| match words.first() {
        Some(Word::Silent(why)) => Some((*list, *why)),
        _ => None,
    });
    let silent: Vec<(&str, &str)> = silent.collect();
    let clean: Vec<&str> = said.iter().map(|(list, _)| *list).filter(|l| !silent.iter().any(|(s, _)| s == l)).collect();
    if findings.is_empty() && !clean.is_empty() {
        let addresses = words::list(&names.public);
        let verb = if names.public.len() == 1 { "is" } else { "are" };
        findings.push(SUBJECT.good(format!("{addresses} {verb} not on {}.", words::list(&clean))));
    }
    if !silent.is_empty() {
        findings.push(untold(&silent));
    }
    findings
}

/// One list's word on each address; [`Word::Silent`] on all of them when it does not work for us.
async fn of_list(patient: &Patient, list: &str, addresses: &[IpAddr]) -> Vec<Word> {
    let all = |why| addresses.iter().map(|_| Word::Silent(why)).collect();
    let words = join_all([ALWAYS, NEVER].iter().chain(addresses).map(|address| ask(patient, list, *address))).await;
    match words.as_slice() {
        [Word::Silent(why), ..] => all(why),
        [Word::Clean, ..] | [_, Word::Listed(_), ..] => all(GONE),
        [_, _, words @ ..] => words.to_vec(),
        _ => all(MUTE),
    }
}

async fn ask(patient: &Patient, list: &str, address: IpAddr) -> Word {
    let name = format!("{}.{list}", reversed(address));
    let answers = match patient.dns.addresses(&name).await {
        Ok(answer) => answer.records,
        Err(DnsError::NoName | DnsError::NoRecords) => return Word::Clean,
        Err(_) => return Word::Silent(MUTE),
    };
    let codes = answers.iter().filter_map(|answer| match answer {
        IpAddr::V4(code) => Some(*code),
        IpAddr::V6(_) => None,
    });
    let codes: Vec<Ipv4Addr> = codes.collect();
    // Outside 127/8 it is somebody who answers whatever is asked (RFC 5782 2.1), and 127.255.255.x is an error.
    match codes.iter().find(|code| code.octets()[0] == 127 && code.octets()[1] != 255) {
        Some(code) => Word::Listed(*code),
        None if codes.iter().any(|code| code.octets()[..2] == [127, 255]) => Word::Silent(REFUSED),
        None => Word::Silent(GONE),
    }
}

/// RFC 5782 2.1 and 2.4.
fn reversed(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(address) => {
            let octets = address.octets();
            let nibbles = octets.iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}")).collect::<Vec<_>>().join(".")
        }
    }
}

fn listed(address: IpAddr, list: &str, code: Ipv4Addr) -> Finding {
    // https://www.spamhaus.org/faqs/dnsbl-usage/: 127.0.0.10 and .11 are the policy list, which is no accusation.
    let policy = list.ends_with("spamhaus.org") && matches!(code.octets()[3], 10 | 11);
    let found = match policy {
        true => SUBJECT.bad(format!(
            "{address} is on {list} among the addresses that by their provider's policy send no mail themselves."
        )),
        false => SUBJECT.bad(format!("{address} is on the block list {list} ({code}).")),
    };
    let found = found.about(format!("{address} {list}"));
    let Some(page) = removal(list, address) else {
        return found.todo(format!("Ask on the website of {list} why, end the cause, and have the address removed."));
    };
    found.todo(match policy {
        true => format!("Have it removed at {page}, or send through a relay."),
        false => format!("See why at {page}, end the cause (a guessed password?), and have the address removed there."),
    })
}

fn removal(list: &str, address: IpAddr) -> Option<String> {
    match list {
        _ if list.ends_with("spamhaus.org") => Some(format!("https://check.spamhaus.org/results/?query={address}")),
        "bl.spamcop.net" => Some(format!("https://www.spamcop.net/w3m?action=checkblock&ip={address}")),
        "psbl.surriel.com" => Some(format!("https://psbl.org/listing?ip={address}")),
        _ => None,
    }
}

fn untold(silent: &[(&str, &str)]) -> Finding {
    let said: Vec<String> = silent.iter().map(|(list, why)| format!("{list} {why}")).collect();
    let unknown =
        SUBJECT.unknown(format!("Not every block list can be asked: {}.", words::list(&said))).about("untold");
    if silent.iter().any(|(_, why)| *why == REFUSED) {
        return unknown
            .todo("Let Mailstead resolve names itself, as it does by default where nothing blocks it.")
            .command("mailstead dns check");
    }
    unknown
}
