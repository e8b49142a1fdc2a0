//! What a domain should publish, and how it stands in DNS, for people.

use mailstead_advice::doctor::Light;
use mailstead_advice::records::{DomainCheck, Entry, Need, Verdict};

use super::out;

/// The records as a piece of a zone file.
pub(crate) fn zone(check: &DomainCheck) {
    let line = |entry: &Entry| {
        let mark = if entry.need == Need::Obsolete || !entry.is_yours() { "; " } else { "" };
        format!("; {} ({})\n{mark}{}\n", entry.why, entry.need.word(), entry.zone_line)
    };
    out(&check.entries.iter().map(line).collect::<String>());
}

pub(super) fn records(check: &DomainCheck) -> String {
    let (there, gone): (Vec<&Entry>, Vec<&Entry>) =
        check.entries.iter().partition(|entry| entry.need != Need::Obsolete);
    let section = |title: &str, entries: &[&Entry]| {
        let chosen: String = entries.iter().map(|entry| paragraph(entry)).collect();
        if chosen.is_empty() { chosen } else { format!("{title}\n\n{chosen}") }
    };
    let remarks: String = check.remarks.iter().map(|remark| format!("{remark}\n\n")).collect();
    let growth = check.growth.as_ref().map(|growth| {
        let next =
            growth.next.as_ref().map(|next| format!("\nThe next DMARC record:\n      {next}")).unwrap_or_default();
        format!("How DMARC may grow: {}{next}\n\n", growth.sentence)
    });
    let domain = &check.domain;
    let end = match check.at {
        None => format!("How they stand tells `mailstead domain check {domain}`. For a zone file add --zone."),
        Some(_) if check.is_sound() => format!("All that {domain} needs is right."),
        Some(_) => format!("Some records that {domain} needs are missing or wrong."),
    };
    remarks
        + &section("To be published in DNS, in this order:", &there)
        + &section("To be removed from DNS:", &gone)
        + &growth.unwrap_or_default()
        + &end
}

fn paragraph(entry: &Entry) -> String {
    let Entry { kind, name, value, why, need, short, zone, .. } = entry;
    let value = if value.is_empty() { "(the public address of this server)" } else { value };
    let shortened = match (short == name, short.as_str()) {
        (true, _) => String::new(),
        (false, "@") => format!(" (in the form of {zone}: @, or empty)"),
        (false, short) => format!(" (in the form of {zone}: {short})"),
    };
    let verdict = entry.verdict.as_ref().map(|verdict| standing(verdict, entry.light())).unwrap_or_default();
    format!("{kind:<5} {name}{shortened}\n      {value}\n      {why} It is {}.\n{verdict}\n", need.word())
}

fn standing(verdict: &Verdict, light: Light) -> String {
    let mark = match light {
        Light::Good => "ok",
        Light::Unknown => "? ",
        Light::Warning => "! ",
        Light::Bad => "!!",
    };
    let more = match verdict {
        Verdict::Right { note } => note.clone().map(|note| format!(": {note}")).unwrap_or_default(),
        Verdict::Missing => String::new(),
        Verdict::Wrong { found, difference, todo, .. } => {
            let found: String = found.iter().map(|one| format!("\n      found: {one}")).collect();
            format!(": {difference} {todo}{found}")
        }
        Verdict::Spreading { minutes, .. } => {
            format!(": others may remember what was there before for up to {minutes} minutes.")
        }
        Verdict::NotCheckable { why } => format!(": {why}"),
    };
    format!("  {mark}  {}{more}\n", verdict.word())
}
