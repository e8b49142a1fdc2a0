//! `[doctor]`: whom in the world `mailstead doctor` asks.

use std::net::SocketAddr;

use mailstead_advice::doctor::Probes;
use mailstead_message::Domain;
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Whom in the world the doctor asks; an empty list asks nobody.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Doctor {
    /// Mail servers that are connected to, to see whether mail can leave.
    pub mail_servers: Vec<String>,
    /// Zones of block lists that are asked about our addresses.
    pub block_lists: Vec<String>,
    /// Time servers that are asked for the time.
    pub time_servers: Vec<String>,
}

impl Default for Doctor {
    fn default() -> Self {
        let Probes { mail_servers, block_lists, time_servers } = Probes::default();
        Self { mail_servers, block_lists, time_servers }
    }
}

impl Doctor {
    /// Nobody is asked.
    pub(crate) fn at_home() -> Self {
        Self { mail_servers: Vec::new(), block_lists: Vec::new(), time_servers: Vec::new() }
    }

    /// The same, as the doctor takes it.
    pub(crate) fn probes(&self) -> Probes {
        let Self { mail_servers, block_lists, time_servers } = self.clone();
        Probes { mail_servers, block_lists, time_servers }
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key: &str, text: &str, what: &str| Err(ConfigError(format!("doctor.{key}: \"{text}\" {what}")));
        let servers = "is no server: write \"mail.example.org\" or \"192.0.2.1:25\"";
        for (key, list) in [("mail_servers", &self.mail_servers), ("time_servers", &self.time_servers)] {
            if let Some(text) = list.iter().find(|text| !is_server(text)) {
                return wrong(key, text, servers);
            }
        }
        match self.block_lists.iter().find(|text| Domain::parse(text).is_err()) {
            Some(text) => wrong("block_lists", text, "is no list: write its zone, such as \"zen.spamhaus.org\""),
            None => Ok(()),
        }
    }
}

fn is_server(text: &str) -> bool {
    if text.parse::<SocketAddr>().is_ok() || text.parse::<std::net::IpAddr>().is_ok() {
        return true;
    }
    match text.split_once(':') {
        Some((name, port)) => Domain::parse(name).is_ok() && port.parse::<u16>().is_ok_and(|port| port != 0),
        None => Domain::parse(text).is_ok(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::config::Config;

    fn parse(lines: &str) -> Result<Doctor, String> {
        let config = Config::parse(&format!("hostname = \"mail.example.org\"\n[doctor]\n{lines}\n"));
        config.map(|config| config.doctor).map_err(|error| error.to_string())
    }

    #[test]
    fn servers_are_names_or_addresses_with_a_port_or_without() {
        let servers =
            "[\"mx.example.org\", \"mx.example.org:2525\", \"192.0.2.1\", \"[2001:db8::1]:25\", \"2001:db8::1\"]";
        let doctor = parse(&format!("mail_servers = {servers}\ntime_servers = []\n")).unwrap();
        assert_eq!((doctor.mail_servers.len(), doctor.time_servers.len()), (5, 0));
        assert_eq!(doctor.block_lists, Doctor::default().block_lists);
        assert_eq!(parse("").unwrap(), Doctor::default());
    }

    #[test]
    fn mistakes_are_told_with_their_line() {
        for (lines, what) in [
            ("mail_servers = [\"mx.example.org:x\"]", "line 3: doctor.mail_servers: \"mx.example.org:x\" is no server"),
            ("time_servers = [\"\"]", "line 3: doctor.time_servers: \"\" is no server"),
            (
                "block_lists = [\"https://list.example\"]",
                "line 3: doctor.block_lists: \"https://list.example\" is no list",
            ),
            ("servers = []", "line 3: unknown field `servers`"),
        ] {
            let said = parse(lines).unwrap_err();
            assert!(said.starts_with(what), "{lines}: {said}");
        }
    }
}
