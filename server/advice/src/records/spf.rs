//! Whether an SPF record lets this server send, whatever else it says.

use std::net::{IpAddr, Ipv4Addr};

use mailstead_auth::check::{SpfResult, spf};
use mailstead_net::BoxFuture;
use mailstead_net::dns::{Answer, Data, Dns, DnsError, Kind as Question, Mx};

use super::judge::{Scene, clipped, only, same, spoilt};
use super::list::Item;
use super::told::Verdict;

/// An address nobody sends from (RFC 5737): who may send from there may send from anywhere.
const NOBODY: IpAddr = IpAddr::V4(Ipv4Addr::new(192, 0, 2, 1));

/// DNS as it will be once this record and the advised ones are everywhere.
struct Soon<'a> {
    dns: &'a dyn Dns,
    name: &'a str,
    text: &'a str,
    scene: &'a Scene<'a>,
}

impl Dns for Soon<'_> {
    fn ask<'a>(&'a self, name: &'a str, kind: Question) -> BoxFuture<'a, Result<Answer<Data>, DnsError>> {
        let bare = name.trim_end_matches('.');
        let of_host = |v4: bool| {
            let ours = self.scene.addresses.iter().filter(move |ip| ip.is_ipv4() == v4);
            let records: Vec<Data> = ours.map(|ip| Data::Address(*ip)).collect();
            if records.is_empty() { Err(DnsError::NoRecords) } else { Ok(Answer::insecure(records)) }
        };
        let known = match kind {
            Question::Txt if bare == self.name => {
                Some(Ok(Answer::insecure(vec![Data::Txt(self.text.as_bytes().to_vec())])))
            }
            Question::Mx if bare == self.name => {
                let mx = Mx { preference: 10, host: self.scene.host.to_owned() };
                Some(Ok(Answer::insecure(vec![Data::Mx(mx)])))
            }
            Question::A if bare == self.scene.host => Some(of_host(true)),
            Question::Aaaa if bare == self.scene.host => Some(of_host(false)),
            _ => None,
        };
        match known {
            Some(answer) => Box::pin(std::future::ready(answer)),
            None => self.dns.ask(name, kind),
        }
    }
}

/// Judges the texts found at a name.
pub(super) async fn judge(dns: &dyn Dns, item: &Item, records: &[Data], scene: &Scene<'_>, relayed: bool) -> Verdict {
    let is_spf = |text: &str| text.split(' ').next().is_some_and(|version| version.eq_ignore_ascii_case("v=spf1"));
    let text = match only(records, "SPF", is_spf) {
        Ok(text) => text,
        Err(verdict) => return verdict,
    };
    if let Some(verdict) = spoilt(&text) {
        return verdict;
    }
    if same(&text, &item.entry.value) {
        return Verdict::right();
    }
    let name = item.entry.name.as_str();
    let soon = Soon { dns, name, text: &text, scene };
    let ask = async |ip: IpAddr| spf(&soon, ip, scene.host, &format!("postmaster@{name}")).await;
    let wrong = |difference: String, todo: String| Verdict::wrong(vec![clipped(&text)], difference, todo);
    let advised = &item.entry.value;
    match ask(NOBODY).await {
        SpfResult::Pass => {
            let todo = "End it with -all, or with ~all while you are not sure.".to_owned();
            return wrong("It lets everybody send in your name.".to_owned(), todo);
        }
        SpfResult::PermError(why) => {
            return wrong(format!("It can't be used: {why}."), format!("Correct it, or use {advised}"));
        }
        _ => {}
    }
    if relayed {
        let relay = advised.split(' ').find_map(|term| term.strip_prefix("a:")).unwrap_or_default();
        let lower = text.to_ascii_lowercase();
        return if lower.contains("include:") || (!relay.is_empty() && lower.contains(relay)) {
            Verdict::noted("Your own record is sound, if it names your relay: its owner says how.")
        } else {
            let todo = format!("Add a:{relay}, or what the relay's owner asks for, before its last word.");
            wrong(format!("It does not name the relay {relay}, by which your mail leaves."), todo)
        };
    }
    if scene.addresses.is_empty() {
        return Verdict::NotCheckable { why: "This server does not know its own public address.".to_owned() };
    }
    for address in scene.addresses {
        match ask(*address).await {
            SpfResult::Pass => {}
            SpfResult::TempError(why) => {
                return Verdict::NotCheckable { why: format!("What it refers to can't be looked up: {why}.") };
            }
            other => {
                let difference =
                    format!("It does not let this server ({address}) send: the result is {}.", other.word());
                let mechanism = if name == scene.host { "a" } else { "mx" };
                let todo = format!("Add the word {mechanism} behind v=spf1, and leave the rest.");
                return wrong(difference, todo);
            }
        }
    }
    Verdict::noted("Your own record is sound: it lets this server send.")
}
