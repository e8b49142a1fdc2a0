//! What a record found in DNS is worth: by what it means, not by its bytes.

use std::net::IpAddr;

use mailstead_auth::check;
use mailstead_auth::keys::is_published;
use mailstead_net::dns::{Data, DnsError};

use super::list::{Item, Subject};
use super::proxies::is_proxy;
use super::told::{Kind, Mistake, Need, Verdict};

/// What DNS says.
pub(super) type Found = Result<Vec<Data>, DnsError>;

/// Of what is found, so much is shown.
const MAX_SHOWN: usize = 8;
/// Of a text, so many characters.
const MAX_TEXT: usize = 600;

/// What records are judged by.
pub(super) struct Scene<'a> {
    /// The mail host's name.
    pub host: &'a str,
    /// Its addresses.
    pub addresses: &'a [IpAddr],
    /// Where its certificates come from.
    pub issuer: Option<&'a str>,
}

impl Verdict {
    pub(super) fn right() -> Self {
        Self::Right { note: None }
    }

    pub(super) fn noted(note: impl Into<String>) -> Self {
        Self::Right { note: Some(note.into()) }
    }

    pub(super) fn wrong(found: Vec<String>, difference: impl Into<String>, todo: impl Into<String>) -> Self {
        Self::Wrong { found, difference: difference.into(), mistake: None, todo: todo.into() }
    }

    pub(super) fn by(self, mistake: Mistake) -> Self {
        match self {
            Self::Wrong { found, difference, todo, .. } => {
                Self::Wrong { found, difference, mistake: Some(mistake), todo }
            }
            other => other,
        }
    }
}

/// What can be said before it is known what a record is about; `Err` with the verdict where nothing was found.
pub(super) fn some(found: &Found) -> Result<&[Data], Verdict> {
    match found {
        Ok(records) => Ok(records),
        Err(DnsError::NoName | DnsError::NoRecords) => Err(Verdict::Missing),
        Err(DnsError::Bogus(what)) => Err(Verdict::wrong(
            Vec::new(),
            format!("The zone's signatures (DNSSEC) are not valid ({what}), so careful resolvers see nothing of it."),
            "Ask your DNS provider to repair DNSSEC, or remove the DS record at your registrar until it is repaired.",
        )
        .by(Mistake::BrokenSignatures)),
        Err(DnsError::Temporary(why)) => Err(Verdict::NotCheckable { why: format!("DNS gives no answer: {why}.") }),
    }
}

/// What was found, for people.
pub(super) fn shown(records: &[Data]) -> Vec<String> {
    records.iter().take(MAX_SHOWN).map(|data| data.to_string().chars().take(MAX_TEXT).collect()).collect()
}

/// Judges what is found at a record's name, where nothing else need be asked.
pub(super) fn judge(item: &Item, found: &Found, scene: &Scene<'_>) -> Verdict {
    let records = match some(found) {
        Ok(records) => records,
        Err(verdict) if item.entry.need == Need::Obsolete && verdict == Verdict::Missing => return gone(),
        Err(verdict) => return verdict,
    };
    if item.entry.need == Need::Obsolete {
        return still_there(records);
    }
    match item.subject {
        Subject::Address => address(item, records, scene),
        Subject::Exchanger => exchanger(item, records, scene),
        Subject::Key => key(&item.entry.value, records),
        Subject::Dmarc => dmarc(item, records),
        Subject::Sts => sts(item, records),
        Subject::TlsReports => tls_reports(item, records),
        Subject::Service => service(item, records, scene),
        Subject::Issuers => issuers(records, scene),
        Subject::Tlsa => tlsa(item, records),
        // These need more than one answer.
        Subject::Spf { .. } | Subject::Alias | Subject::Reverse(_) => Verdict::NotCheckable { why: String::new() },
    }
}

fn gone() -> Verdict {
    Verdict::noted("It is gone, as it should be.")
}

fn still_there(records: &[Data]) -> Verdict {
    let todo = "Remove it when you like: nothing needs it any more.";
    Verdict::wrong(shown(records), "It is still there.", todo).by(Mistake::StillThere)
}

/// Judges where a name leads to; `records` are addresses.
pub(super) fn address(item: &Item, records: &[Data], scene: &Scene<'_>) -> Verdict {
    let found: Vec<IpAddr> =
        records.iter().filter_map(|data| if let Data::Address(ip) = data { Some(*ip) } else { None }).collect();
    let name = &item.entry.name;
    if let Some(alias) = records.iter().find_map(|data| if let Data::Name(name) = data { Some(name) } else { None })
        && item.subject == Subject::Address
    {
        let todo = format!("Replace the CNAME by an {} record with {}.", item.entry.kind, item.entry.value);
        let difference = format!("{name} is only another name (CNAME) of {alias}, which mail servers must not accept.");
        return Verdict::wrong(shown(records), difference, todo);
    }
    if scene.addresses.is_empty() {
        let why = format!(
            "This server does not know its own public address: is it {}? Then name it in the configuration \
             (delivery.own_addresses).",
            shown(records).join(" or ")
        );
        return Verdict::NotCheckable { why };
    }
    let strange: Vec<IpAddr> = found.iter().copied().filter(|ip| !scene.addresses.contains(ip)).collect();
    let Some(first) = strange.first() else { return Verdict::right() };
    let target = if item.subject == Subject::Address { item.entry.value.as_str() } else { scene.host };
    if strange.iter().any(|address| is_proxy(*address)) {
        let difference = format!("{first} is a proxy's address, not this server's: web pages pass it, mail does not.");
        let todo = format!(
            "Turn the proxy off for {name} (at Cloudflare: click the orange cloud, so that it turns grey, \"DNS only\")."
        );
        return Verdict::wrong(shown(records), difference, todo).by(Mistake::Proxied);
    }
    let difference = format!("{first} is not an address of this server.");
    let todo = if strange.len() == found.len() {
        format!("Let {name} lead to {target}.")
    } else {
        format!("Remove {first} from {name}: half of what comes would go there.")
    };
    Verdict::wrong(shown(records), difference, todo).by(Mistake::NotOurs)
}

/// The final dot was left out: the form added the zone to the host's name.
fn dotless(found: &str, item: &Item, scene: &Scene<'_>, records: &[Data]) -> Option<Verdict> {
    let front = found.strip_prefix(scene.host)?.strip_prefix('.')?;
    let added = [item.entry.zone.as_str(), item.entry.name.as_str()].contains(&front);
    added.then(|| {
        let difference = format!("It leads to {found}: the zone's name was added to a name that was whole already.");
        let todo =
            format!("Write {}. with a dot at its end, or only its first part, as your form wants it.", scene.host);
        Verdict::wrong(shown(records), difference, todo).by(Mistake::MissingDot)
    })
}

fn exchanger(item: &Item, records: &[Data], scene: &Scene<'_>) -> Verdict {
    let mut found: Vec<(u16, &str)> = records
        .iter()
        .filter_map(|data| if let Data::Mx(mx) = data { Some((mx.preference, mx.host.as_str())) } else { None })
        .collect();
    found.sort_unstable();
    let wrong = |difference: String, todo: String| Verdict::wrong(shown(records), difference, todo);
    let ours = found.iter().find(|(_, host)| *host == scene.host).map(|(preference, _)| *preference);
    let others: Vec<&str> = found.iter().map(|(_, host)| *host).filter(|host| *host != scene.host).collect();
    let Some(ours) = ours else {
        let first = others.first().copied().unwrap_or_default();
        if let Some(verdict) = others.iter().find_map(|host| dotless(host, item, scene, records)) {
            return verdict;
        }
        if first.is_empty() {
            let todo = format!("Replace it by {}.", item.entry.value);
            return wrong("It says that the domain takes no mail at all.".to_owned(), todo);
        }
        if first.parse::<IpAddr>().is_ok() {
            let todo = format!("Write the name {}. there.", scene.host);
            return wrong(format!("It leads to {first}, an address, where only a name is allowed."), todo)
                .by(Mistake::AddressForName);
        }
        let todo = format!("Replace it by {}, once you want mail to come to this server.", item.entry.value);
        return wrong(format!("Mail goes to {first}, not to this server."), todo).by(Mistake::OtherFirst);
    };
    match found.first() {
        Some((preference, first)) if *preference < ours => {
            let todo = format!("Remove the record with {first}, unless you want it so.");
            wrong(format!("Mail goes to {first} first, and here only when that can't be reached."), todo)
                .by(Mistake::OtherFirst)
        }
        _ if others.is_empty() => Verdict::right(),
        _ => Verdict::noted(format!(
            "Mail may also go to {}. Remove that record, unless it is a reserve that sends everything on to here.",
            others.join(", ")
        )),
    }
}

/// The one text of its kind, or what is wrong with there being none or several.
pub(super) fn only(records: &[Data], what: &str, is_such: impl Fn(&str) -> bool) -> Result<String, Verdict> {
    let texts = records.iter().filter_map(|data| match data {
        Data::Txt(text) => Some(String::from_utf8_lossy(text).into_owned()),
        _ => None,
    });
    let such: Vec<String> = texts.filter(|text| is_such(&cleaned(text))).collect();
    match such.as_slice() {
        [] => Err(Verdict::Missing),
        [text] => Ok(text.clone()),
        _ => {
            let shown = such.iter().map(|text| text.chars().take(MAX_TEXT).collect()).collect();
            let difference = format!("There are {} {what} records, and receivers then heed none of them.", such.len());
            Err(Verdict::wrong(shown, difference, "Keep one and remove the others.").by(Mistake::Several))
        }
    }
}

/// A text without what a form may have made part of it by mistake.
pub(super) fn cleaned(text: &str) -> String {
    text.replace(['"', '\u{201c}', '\u{201d}'], "").replace('\\', "").trim().to_owned()
}

/// What is wrong with a text that has quotes or backslashes in it, where there must be none.
pub(super) fn spoilt(text: &str) -> Option<Verdict> {
    let (what, mistake) = if text.contains(['"', '\u{201c}', '\u{201d}']) {
        ("Quotes are", Mistake::Quotes)
    } else if text.contains('\\') {
        ("Backslashes are", Mistake::Backslashes)
    } else {
        return None;
    };
    let difference = format!("{what} part of the text: the form adds them itself where they are needed.");
    Some(Verdict::wrong(vec![clipped(text)], difference, "Enter the text without them, as it stands here.").by(mistake))
}

pub(super) fn clipped(text: &str) -> String {
    text.escape_debug().to_string().chars().take(MAX_TEXT).collect()
}

/// Two texts that differ in nothing that matters.
pub(super) fn same(one: &str, other: &str) -> bool {
    let plain = |text: &str| {
        let text: Vec<&str> = text.split_whitespace().collect();
        text.join(" ").to_lowercase().replace("; ", ";").trim_end_matches(';').to_owned()
    };
    plain(one) == plain(other)
}

fn key(wanted: &str, records: &[Data]) -> Verdict {
    let holds_key = |text: &str| text.contains("p=") || text.to_ascii_lowercase().starts_with("v=dkim1");
    let text = match only(records, "key", holds_key) {
        Ok(text) => text,
        Err(verdict) => return verdict,
    };
    if is_published(wanted, text.as_bytes()) {
        return Verdict::right();
    }
    let clean = cleaned(&text);
    if is_published(wanted, clean.as_bytes())
        && let Some(verdict) = spoilt(&text)
    {
        return verdict;
    }
    let (ours, theirs) = (public_part(wanted), public_part(&clean));
    let found = vec![clipped(&text)];
    if theirs.is_empty() {
        let todo = "Replace it by the text shown here.";
        return Verdict::wrong(found, "It says that the key is revoked.", todo).by(Mistake::Stale);
    }
    if ours.starts_with(&theirs) {
        let difference = format!("The key is cut off after {} of its {} characters.", theirs.len(), ours.len());
        let todo = "Enter it again in one piece; if the form takes only 255 characters, split it into several strings of \
                    one record, as the zone file below does.";
        return Verdict::wrong(found, difference, todo).by(Mistake::Truncated);
    }
    let todo = "Replace it by the text shown here.";
    Verdict::wrong(found, "It holds another key than the one this server signs with.", todo).by(Mistake::Stale)
}

/// What stands behind `p=`, without white space.
fn public_part(text: &str) -> String {
    let parts = text.split(';').filter_map(|tag| tag.split_once('='));
    let part = parts.into_iter().find(|(name, _)| name.trim().eq_ignore_ascii_case("p"));
    part.map(|(_, value)| value.split_whitespace().collect()).unwrap_or_default()
}

fn version_is(text: &str, version: &str) -> bool {
    let squeezed: String = text.split(';').next().unwrap_or_default().split_whitespace().collect();
    squeezed.eq_ignore_ascii_case(version)
}

fn dmarc(item: &Item, records: &[Data]) -> Verdict {
    let text = match only(records, "DMARC", |text| version_is(text, "v=DMARC1")) {
        Ok(text) => text,
        Err(verdict) => return verdict,
    };
    if let Some(verdict) = spoilt(&text) {
        return verdict;
    }
    if same(&text, &item.entry.value) {
        return Verdict::right();
    }
    let read = check::Record::parse(text.as_bytes()).filter(|record| record.valid);
    let Some(record) = read else {
        let todo = "Replace it by the text shown here.";
        return Verdict::wrong(vec![clipped(&text)], "Its policy (p=) is missing or misspelt.", todo);
    };
    let address = item.entry.value.rsplit("mailto:").next().unwrap_or_default();
    if !record.wants_reports {
        return Verdict::noted(format!(
            "Your own record is sound. Nobody is asked for reports, though: add rua=mailto:{address} to see how it goes."
        ));
    }
    if !text.to_ascii_lowercase().contains(&address.to_ascii_lowercase()) {
        return Verdict::noted(format!(
            "Your own record is sound. Its reports go elsewhere: add mailto:{address} to rua= and they show here too."
        ));
    }
    Verdict::noted("Your own record is sound.")
}

fn sts(item: &Item, records: &[Data]) -> Verdict {
    let text = match only(records, "MTA-STS", |text| version_is(text, "v=STSv1")) {
        Ok(text) => text,
        Err(verdict) => return verdict,
    };
    if let Some(verdict) = spoilt(&text) {
        return verdict;
    }
    if same(&text, &item.entry.value) {
        return Verdict::right();
    }
    let difference = "Its id is that of another policy: others keep to the one they know until the id changes.";
    let todo = "Replace it by the text shown here.";
    Verdict::wrong(vec![clipped(&text)], difference, todo).by(Mistake::Stale)
}

fn tls_reports(item: &Item, records: &[Data]) -> Verdict {
    let text = match only(records, "TLS-RPT", |text| version_is(text, "v=TLSRPTv1")) {
        Ok(text) => text,
        Err(verdict) => return verdict,
    };
    if let Some(verdict) = spoilt(&text) {
        return verdict;
    }
    if same(&text, &item.entry.value) {
        return Verdict::right();
    }
    let squeezed: String = text.to_ascii_lowercase().split_whitespace().collect();
    if squeezed.contains("rua=mailto:") || squeezed.contains("rua=https:") {
        let ours = item.entry.value.rsplit("mailto:").next().unwrap_or_default();
        let seen = squeezed.contains(&ours.to_ascii_lowercase());
        let note =
            if seen { "Your own record is sound." } else { "Your own record is sound; its reports go elsewhere." };
        return Verdict::noted(note);
    }
    let todo = "Replace it by the text shown here.";
    Verdict::wrong(vec![clipped(&text)], "It names no address for the reports (rua=).", todo)
}

fn service(item: &Item, records: &[Data], scene: &Scene<'_>) -> Verdict {
    let mut found = records.iter().filter_map(|data| if let Data::Srv(srv) = data { Some(srv) } else { None });
    let port: u16 = item.entry.value.split(' ').nth(2).and_then(|port| port.parse().ok()).unwrap_or_default();
    let all: Vec<_> = found.by_ref().collect();
    if all.iter().any(|srv| srv.host == scene.host && srv.port == port) {
        return Verdict::right();
    }
    if let Some(verdict) = all.iter().find_map(|srv| dotless(&srv.host, item, scene, records)) {
        return verdict;
    }
    let todo = format!("Replace it by {}", item.entry.value);
    let difference = match all.first() {
        Some(srv) if srv.host.is_empty() => "It says that the service is not offered.".to_owned(),
        Some(srv) => format!("It leads to {}, port {}, not to {}, port {port}.", srv.host, srv.port, scene.host),
        None => "It can't be read.".to_owned(),
    };
    Verdict::wrong(shown(records), difference, todo)
}

fn issuers(records: &[Data], scene: &Scene<'_>) -> Verdict {
    let issuer = scene.issuer.unwrap_or_default();
    let may: Vec<&str> = records
        .iter()
        .filter_map(|data| match data {
            Data::Caa(caa) if caa.tag == "issue" => Some(caa.value.split(';').next().unwrap_or_default().trim()),
            _ => None,
        })
        .collect();
    if may.is_empty() {
        return Verdict::noted("Your records bind nobody: every authority may issue certificates.");
    }
    if may.iter().any(|name| name.eq_ignore_ascii_case(issuer)) {
        return Verdict::right();
    }
    let difference = format!("They forbid {issuer} to issue certificates, so this server can't renew its own.");
    Verdict::wrong(shown(records), difference, format!("Add a record 0 issue \"{issuer}\" to them."))
}

fn tlsa(item: &Item, records: &[Data]) -> Verdict {
    if records.iter().any(|data| data.to_string() == item.entry.value) {
        return Verdict::right();
    }
    let difference = "It names another key than this server's: servers that check it refuse to deliver.";
    let todo = "Replace it by the value shown here, or remove it.";
    Verdict::wrong(shown(records), difference, todo).by(Mistake::Stale)
}

/// A record that harms more by being wrong than by not being there.
pub(super) fn harms(kind: Kind, verdict: &Verdict) -> bool {
    matches!(kind, Kind::Caa | Kind::Tlsa | Kind::Aaaa) && matches!(verdict, Verdict::Wrong { .. })
}
