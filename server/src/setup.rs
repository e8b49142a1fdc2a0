//! `mailstead setup`: from nothing to a server with a name, a domain and somebody who governs it.

mod link;

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::net::IpAddr;

use mailstead_message::{Address, Domain};
use mailstead_web::control::{Answer, Request, Response, SetupView};

use crate::appliance::own_addresses;
use crate::cli::Setup;
use crate::commands::{House, PASSWORD_SHOWN, ask_password, generate_password};
use crate::config::Config;
use crate::hostname::{Leads, leads};
use crate::print;

/// Carries it out.
///
/// # Errors
/// One sentence for the operator. What was done until then stays: the next run goes on from there.
pub(crate) async fn run(options: Setup, config: Config, json: bool) -> Result<(), String> {
    let named = Some(config.hostname.clone()).filter(|name| !name.is_empty());
    let mut house = House::reach(&config.data, true, named).await?;
    if options.link {
        return link::print(&mut house, &config, json).await;
    }
    let own = own_addresses(&config);
    let view = view(&mut house).await?;
    if view.done {
        print::out("This server is set up already. `mailstead account list` shows who governs it.");
        return Ok(());
    }
    print::out("This sets your mail server up in three steps. Ctrl-C ends it; the next run goes on from there.");
    let hostname = host_name(&mut house, &view, &own).await?;
    // A running server starts anew under a new name.
    if view.hostname.as_deref() != Some(&hostname) {
        drop(house);
        house = House::reach_again(&config.data, &hostname).await?;
    }
    let domain = first_domain(&mut house, &view, &hostname).await?;
    first_account(&mut house, &view, &domain).await?;
    records(&mut house, &domain, &hostname).await?;
    print::out(&format!(
        "\nThat was all here. Publish these records, then look whether they are right with\n\
         `mailstead domain check {domain}`, or sign in at {}.",
        link::base(&hostname, &config)
    ));
    Ok(())
}

async fn view(house: &mut House) -> Result<SetupView, String> {
    match house.ask(Request::Setup).await? {
        Response::Ok(Answer::Setup(view)) => Ok(view),
        Response::Ok(_) => Err("the running server is of another version: restart it".to_owned()),
        Response::Error(sentence) => Err(sentence),
    }
}

/// Asks for something to be done, and tells what came of it.
async fn told(house: &mut House, request: Request) -> Result<(), String> {
    match house.ask(request).await? {
        Response::Ok(Answer::Done(sentence)) => print::out(&sentence),
        Response::Ok(_) => {}
        Response::Error(sentence) => return Err(sentence),
    }
    Ok(())
}

async fn host_name(house: &mut House, view: &SetupView, own: &[IpAddr]) -> Result<String, String> {
    print::out(
        "1. The server's own name, such as mail.example.org. Other servers see it, mail programs connect to it.",
    );
    if let Some(name) = view.hostname.as_ref().filter(|_| view.hostname_fixed) {
        print::out(&format!("   The configuration file says it: {name}."));
        print::out(&format!("   {}", sentence(name, &leads(name, own).await, own)));
        return Ok(name.clone());
    }
    let proposed = view.hostname.clone().filter(|name| !name.ends_with(".invalid"));
    loop {
        let text = ask("   Name", proposed.as_deref())?;
        let Some(name) = Domain::parse(&text).ok().filter(|name| name.as_str().contains('.')) else {
            print::out("   That is no full name: write one with a dot in it, such as mail.example.org.");
            continue;
        };
        told(house, Request::SetupHostname { hostname: name.clone() }).await?;
        print::out(&format!("   {}", sentence(name.as_str(), &leads(name.as_str(), own).await, own)));
        return Ok(name.to_string());
    }
}

/// What is to be said of where a name leads.
pub(crate) fn sentence(name: &str, leads: &Leads, own: &[IpAddr]) -> String {
    let list = |addresses: &[IpAddr]| addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
    let own: Vec<IpAddr> = own.iter().copied().filter(|address| !address.is_loopback()).collect();
    let publish = match own.is_empty() {
        true => "publish an A record with this server's address".to_owned(),
        false => format!("publish A and AAAA records with this server's addresses ({})", list(&own)),
    };
    match leads {
        Leads::Here => format!("{name} leads to this server: good."),
        Leads::Elsewhere(found) => format!(
            "{name} leads to {}, which this machine does not know as its own address. If that is not its public \
             address, {publish} for it.",
            list(found)
        ),
        Leads::Nowhere => format!("{name} leads nowhere yet: {publish} for it. You can go on meanwhile."),
    }
}

async fn first_domain(house: &mut House, view: &SetupView, hostname: &str) -> Result<String, String> {
    print::out("\n2. The domain whose mail it takes: what stands behind the @ in your address.");
    if let Some(domain) = view.domains.first() {
        print::out(&format!("   It has {} already.", view.domains.join(", ")));
        return Ok(domain.clone());
    }
    let parent = hostname.split_once('.').map(|(_, parent)| parent).filter(|parent| parent.contains('.'));
    loop {
        let text = ask("   Domain", parent)?;
        let Ok(domain) = Domain::parse(text.trim_start_matches('@')) else {
            print::out("   That is no domain: write one such as example.org.");
            continue;
        };
        match told(house, Request::DomainAdd { domain: domain.clone() }).await {
            Ok(()) => return Ok(domain.to_unicode()),
            Err(sentence) => print::out(&format!("   {sentence}")),
        }
    }
}

async fn first_account(house: &mut House, view: &SetupView, domain: &str) -> Result<(), String> {
    print::out("\n3. Your own address: your mailbox, and the account that governs this server at the web.");
    if !view.accounts.is_empty() {
        print::out(&format!("   There are {}: one of them, or a new one.", view.accounts.join(", ")));
    }
    loop {
        let text = ask("   Address", view.accounts.first().map(String::as_str))?;
        let text = if text.contains('@') { text } else { format!("{text}@{domain}") };
        let Ok(address) = Address::parse(&text) else {
            print::out(&format!("   That is no address: write one such as you@{domain}."));
            continue;
        };
        let is_there = view.accounts.contains(&address.to_string());
        let (password, made) = if is_there { (None, false) } else { new_password(&address)? };
        match told(house, Request::SetupOperator { address, password: password.clone() }).await {
            Ok(()) => {
                if let Some(password) = password.filter(|_| made) {
                    print::out(&format!("{PASSWORD_SHOWN}{password}"));
                }
                print::out("");
                return Ok(());
            }
            Err(sentence) => print::out(&format!("   {sentence}")),
        }
    }
}

/// A password of one's own, or one that is made up.
fn new_password(address: &Address) -> Result<(Option<String>, bool), String> {
    let own = ask("   Type a password of your own? Otherwise one is made up (yes/no)", Some("no"))?;
    if own.to_ascii_lowercase().starts_with('y') {
        return Ok((Some(ask_password(&format!("   Password for {address}"), true)?), false));
    }
    Ok((Some(generate_password()), true))
}

async fn records(house: &mut House, domain: &str, hostname: &str) -> Result<(), String> {
    let domain = Domain::parse(domain).map_err(|error| error.to_string())?;
    match house.ask(Request::DomainRecords { domain, hostname: Some(hostname.to_owned()) }).await? {
        Response::Ok(answer) => print::answer(&answer, None, false),
        Response::Error(sentence) => Err(sentence),
    }
}

/// Asks for a line; an empty one takes what is proposed.
fn ask(prompt: &str, proposed: Option<&str>) -> Result<String, String> {
    let hint = proposed.map(|text| format!(" [{text}]")).unwrap_or_default();
    loop {
        print!("{prompt}{hint}: ");
        let _ = std::io::stdout().flush();
        let mut line = String::new();
        let read = std::io::stdin().lock().read_line(&mut line);
        if read.map_err(|error| format!("the answer can't be read: {error}"))? == 0 {
            return Err("the set-up is not finished: `mailstead setup` goes on from here".to_owned());
        }
        if !std::io::stdin().is_terminal() {
            println!();
        }
        match (line.trim(), proposed) {
            ("", Some(proposed)) => return Ok(proposed.to_owned()),
            ("", None) => {}
            (text, _) => return Ok(text.to_owned()),
        }
    }
}
