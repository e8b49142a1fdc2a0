//! `mailstead dns`: who answers, and what they answer.

use std::net::IpAddr;

use mailstead_net::dns::{Answer, Choice, Data, Dns, DnsError, Kind};
use serde_json::json;

use crate::cli::DnsCommand;
use crate::config::Config;
use crate::print;

/// Carries out one command; no running server is needed.
///
/// # Errors
/// A sentence for the operator; also when something is lost or there is no answer, so that scripts can tell.
pub(crate) async fn run(command: DnsCommand, config: &Config, json: bool) -> Result<(), String> {
    let choice = Choice::make(&config.dns.settings()?).await.map_err(|error| error.to_string())?;
    match command {
        DnsCommand::Check if json => print::out(&json!({ "dns": choice.told, "whole": choice.whole }).to_string()),
        DnsCommand::Check if !choice.whole => return Err(choice.told),
        DnsCommand::Check => print::out(&choice.told),
        DnsCommand::Ask { name, kind } => {
            let asked = ask(&choice, &name, kind).await;
            let answer = asked.map_err(|error| explain(&name, &error))?;
            print::out(&if json { machine(&answer) } else { human(&answer) });
        }
    }
    Ok(())
}

async fn ask(choice: &Choice, name: &str, kind: Kind) -> Result<Answer<Data>, DnsError> {
    if let (Kind::Ptr, Ok(address)) = (kind, name.parse::<IpAddr>()) {
        let Answer { records, secure, ttl } = choice.resolver.ptr(address).await?;
        return Ok(Answer { records: records.into_iter().map(Data::Name).collect(), secure, ttl });
    }
    choice.resolver.ask(name, kind).await
}

fn explain(name: &str, error: &DnsError) -> String {
    match error {
        DnsError::NoName => format!("{name}: there is no such name"),
        other => format!("{name}: {other}"),
    }
}

fn human(answer: &Answer<Data>) -> String {
    let proved = if answer.secure { "Proved by signatures (DNSSEC)" } else { "Not signed" };
    let records: String = answer.records.iter().map(|data| format!("{data}\n")).collect();
    format!("{records}{proved}; holds for {} seconds.", answer.ttl.as_secs())
}

fn machine(answer: &Answer<Data>) -> String {
    let records: Vec<String> = answer.records.iter().map(Data::to_string).collect();
    json!({ "records": records, "secure": answer.secure, "ttl": answer.ttl.as_secs() }).to_string()
}
