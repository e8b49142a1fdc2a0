//! The ports: ours, or taken by another program?

use std::net::{IpAddr, SocketAddr};

use super::finding::{Finding, Subject};
use super::host::{Holder, Host, Listening};
use super::{Patient, words};

pub(super) const SUBJECT: Subject = Subject {
    id: "ports",
    title: "Ports",
    why: "Other servers and your mail programs look for Mailstead at these ports and nowhere else.",
};

const OTHER_SERVERS: Subject = Subject {
    id: "port-25",
    title: "Mail from the world",
    why: "Other servers bring mail to port 25 only, so without it nothing arrives.",
};

const NO_LISTENING: &str = "It is to listen nowhere: every list under [listen] in the configuration is empty.";

pub(super) fn look(patient: &Patient, host: &dyn Host) -> Vec<Finding> {
    if patient.listen.is_empty() {
        return vec![SUBJECT.bad(NO_LISTENING).todo("Take the empty lists out of the configuration and restart.")];
    }
    let mut found = if patient.running { vec![ours(patient)] } else { taken(patient, host) };
    found.extend(from_the_world(patient));
    found
}

fn ours(patient: &Patient) -> Finding {
    let ports = ports(patient.listen.iter());
    SUBJECT.good(format!(
        "Mailstead listens on {}; whether a firewall lets the world in can only be seen from outside.",
        words::list(&ports)
    ))
}

/// What stands in the way of listening on each port.
fn taken(patient: &Patient, host: &dyn Host) -> Vec<Finding> {
    let listening = match host.listeners() {
        Ok(listening) => listening,
        Err(error) => return vec![SUBJECT.unknown(format!("Which ports are taken can't be read: {error}."))],
    };
    let mut found: Vec<Finding> = Vec::new();
    let mut told = Vec::new();
    for (key, address) in patient.listen.iter().filter(|(_, address)| address.port() != 0) {
        let Some(other) = listening.iter().find(|other| collide(other.address, *address)) else { continue };
        if !told.contains(&address.port()) {
            told.push(address.port());
            found.push(taken_by(key, address.port(), other, host.holder(other.socket)));
        }
    }
    if found.is_empty() {
        let ports = ports(patient.listen.iter());
        found.push(SUBJECT.good(format!("No other program holds {}.", words::list(&ports))));
    }
    found
}

fn taken_by(key: &str, port: u16, other: &Listening, holder: Option<Holder>) -> Finding {
    let Some(holder) = holder else {
        return SUBJECT
            .bad(format!("Port {port} ({key}) is taken by a program of {}.", user(other.user)))
            .about(port)
            .todo("Find out which program that is and stop it.")
            .command(format!("sudo ss -ltnp 'sport = :{port}'"));
    };
    let what = format!("Port {port} ({key}) is taken by {} (process {}).", holder.name, holder.process);
    let taken = SUBJECT.bad(what).about(port);
    match &holder.unit {
        Some(unit) => taken
            .todo(format!("Stop {} now and for good, then start Mailstead again.", holder.name))
            .command(format!("sudo systemctl disable --now {unit}")),
        None if holder.process == 1 => taken
            .todo("Find the socket unit that has this port and disable it.")
            .command("systemctl list-sockets --all"),
        None if holder.name == "docker-proxy" => taken
            .todo("Find the container that has this port and stop it, or take the port away from it.")
            .command(format!("sudo docker ps --filter publish={port}")),
        None => taken
            .todo(format!("Stop {}, and see to it that it does not start again.", holder.name))
            .command(format!("sudo kill {}", holder.process)),
    }
}

fn from_the_world(patient: &Patient) -> Option<Finding> {
    let mut exchange = patient.listen.iter().filter(|(key, _)| key == "smtp").map(|(_, address)| address);
    // Elsewhere means an experiment, or a port that something in front leads here.
    let nobody = exchange.next().is_none();
    nobody.then(|| {
        let off = OTHER_SERVERS.warning("Taking mail from other servers is turned off: listen.smtp is empty.");
        off.todo("Take `smtp = []` out of the configuration and restart, if mail is to arrive here.")
    })
}

fn ports<'a>(listen: impl Iterator<Item = &'a (String, SocketAddr)>) -> Vec<String> {
    let mut ports: Vec<u16> = listen.map(|(_, address)| address.port()).collect();
    ports.sort_unstable();
    ports.dedup();
    let mut words: Vec<String> = ports.iter().map(u16::to_string).collect();
    if let Some(first) = words.first_mut() {
        *first = format!("port {first}");
    }
    words
}

/// Whether both can't be listened on at once. A foreign listener on `[::]` usually takes IPv4 too.
fn collide(theirs: SocketAddr, ours: SocketAddr) -> bool {
    let everywhere = theirs.ip() == IpAddr::from([0u8; 16]);
    let same_family = theirs.is_ipv4() == ours.is_ipv4();
    let overlap = theirs.ip().to_canonical() == ours.ip().to_canonical()
        || (same_family && (theirs.ip().is_unspecified() || ours.ip().is_unspecified()))
        || everywhere;
    theirs.port() == ours.port() && overlap
}

fn user(number: u32) -> String {
    if number == 0 { "root".to_owned() } else { format!("user {number}") }
}
