//! `[dns]`: who is asked for names.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;

use mailstead_net::dns::{Anchors, Mode, Roots, Settings};
use serde::{Deserialize, Serialize};

use super::ConfigError;

/// Name resolution.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Dns {
    /// Who answers when no servers are given.
    pub resolver: Answering,
    /// Name servers to ask instead (`address` or `address:port`).
    pub servers: Vec<NameServer>,
    /// For experiments: servers of a root of one's own (`address:port`, the same port for all), whose port all name
    /// servers share.
    pub roots: Vec<SocketAddr>,
    /// For experiments: a file with the DNSKEY records of that root.
    pub trust_anchor: PathBuf,
}

/// Who answers.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Answering {
    /// What works best, found out at each start.
    #[default]
    Auto,
    /// The name servers of `/etc/resolv.conf`.
    System,
    /// Mailstead itself, from the root servers downwards.
    Recursive,
}

/// Where a name server listens; on port 53 if nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct NameServer(pub SocketAddr);

impl TryFrom<String> for NameServer {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let whole = text.parse().or_else(|_| text.parse::<IpAddr>().map(|address| SocketAddr::new(address, 53)));
        whole.map(Self).map_err(|_| format!("`{text}` is no address: write \"192.0.2.1\" or \"192.0.2.1:5353\""))
    }
}

impl From<NameServer> for String {
    fn from(NameServer(address): NameServer) -> Self {
        if address.port() == 53 { address.ip().to_string() } else { address.to_string() }
    }
}

impl Dns {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key: &str, what: &str| Err(ConfigError(format!("dns.{key}: {what}")));
        if !self.servers.is_empty() && self.resolver != Answering::Auto {
            return wrong("servers", "these name servers are asked, so leave dns.resolver out");
        }
        if self.roots.windows(2).any(|pair| matches!(pair, [one, other] if one.port() != other.port())) {
            return wrong("roots", "all of them must listen on one port");
        }
        Ok(())
    }

    /// The wish, as name resolution takes it.
    ///
    /// # Errors
    /// A sentence when the file of keys can't be used.
    pub(crate) fn settings(&self) -> Result<Settings, String> {
        let servers = || self.servers.iter().map(|NameServer(address)| *address).collect();
        let mut settings = Settings::new(match self.resolver {
            _ if !self.servers.is_empty() => Mode::Servers(servers()),
            Answering::Auto => Mode::Auto,
            Answering::System => Mode::System,
            Answering::Recursive => Mode::Recursive,
        });
        if let Some(root) = self.roots.first() {
            let addresses = self.roots.iter().map(SocketAddr::ip).collect();
            settings.roots = Roots { addresses, experimental_port: Some(root.port()) };
        }
        if !self.trust_anchor.as_os_str().is_empty() {
            settings.anchors =
                Anchors::from_file(&self.trust_anchor).map_err(|what| format!("dns.trust_anchor: {what}"))?;
        }
        Ok(settings)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;
    use crate::config::Config;

    fn parse(lines: &str) -> Result<Dns, String> {
        let config = Config::parse(&format!("hostname = \"mail.example.org\"\n[dns]\n{lines}\n"));
        config.map(|config| config.dns).map_err(|error| error.to_string())
    }

    #[test]
    fn a_name_server_may_leave_out_its_port() {
        let dns = parse("servers = [\"192.0.2.1\", \"[2001:db8::1]:5353\", \"2001:db8::2\"]").unwrap();
        let addresses: Vec<String> = dns.servers.iter().map(|server| server.0.to_string()).collect();
        assert_eq!(addresses, ["192.0.2.1:53", "[2001:db8::1]:5353", "[2001:db8::2]:53"]);
        assert_eq!(dns.settings().unwrap().mode, Mode::Servers(dns.servers.iter().map(|s| s.0).collect()));
    }

    #[test]
    fn every_wish_has_its_word_and_others_are_explained() {
        assert_eq!(parse("").unwrap().settings().unwrap().mode, Mode::Auto);
        assert_eq!(parse("resolver = \"system\"").unwrap().settings().unwrap().mode, Mode::System);
        assert_eq!(parse("resolver = \"recursive\"").unwrap().settings().unwrap().mode, Mode::Recursive);
        for (lines, what) in [
            ("resolver = \"unbound\"", "line 3: resolver: unknown variant `unbound`"),
            ("servers = [\"ns.example.org\"]", "line 3: servers: `ns.example.org` is no address"),
            ("resolver = \"system\"\nservers = [\"192.0.2.1\"]", "dns.servers: these name servers are asked"),
            ("roots = [\"127.0.0.1:1\", \"127.0.0.1:2\"]", "dns.roots: all of them must listen on one port"),
        ] {
            let said = parse(lines).unwrap_err();
            assert!(said.contains(what), "{lines}: {said}");
        }
        let lost = parse("trust_anchor = \"/nowhere/root.key\"").unwrap().settings().err().unwrap();
        assert!(lost.starts_with("dns.trust_anchor: /nowhere/root.key: "), "{lost}");
    }
}
