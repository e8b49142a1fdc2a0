//! `mailstead.toml`: what must be known before the store opens.
//!
//! Everything else (domains, accounts, policies) lives in the store and is changed while running.

mod checks;
mod dns;
mod doctor;

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use mailstead_message::{Address, Domain};
use serde::{Deserialize, Serialize};

pub(crate) use checks::Checks;
pub(crate) use dns::Dns;
pub(crate) use doctor::Doctor;

/// Where the file is looked for when `--config` is not given.
pub(crate) const DEFAULT_PATH: &str = "/etc/mailstead/mailstead.toml";

/// Where data lives when neither the file nor `--data` says.
pub(crate) const DEFAULT_DATA: &str = "/var/lib/mailstead";

/// The one line every configuration needs.
const HOSTNAME_LINE: &str = "hostname = \"mail.example.org\"";

/// The whole file. Every key has a default; without `hostname` the name is chosen while setting up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    /// The server's own name, the one MX records and reverse DNS lead to. Empty when the file names none: then it is
    /// settled as soon as the store is open.
    #[serde(default)]
    pub hostname: String,
    /// The data folder: store, packs, keys, control socket.
    #[serde(default = "default_data")]
    pub data: PathBuf,
    /// The ports.
    #[serde(default)]
    pub listen: Listen,
    /// Certificates from files, instead of or besides those by ACME.
    #[serde(default)]
    pub tls: Option<TlsFiles>,
    /// Certificates by ACME.
    #[serde(default)]
    pub acme: Acme,
    /// Name resolution.
    #[serde(default)]
    pub dns: Dns,
    /// How mail leaves.
    #[serde(default)]
    pub delivery: Delivery,
    /// How mail from other servers is judged.
    #[serde(default)]
    pub checks: Checks,
    /// Whom the doctor asks.
    #[serde(default)]
    pub doctor: Doctor,
    /// Bounds.
    #[serde(default)]
    pub limits: Limits,
    /// What is logged.
    #[serde(default)]
    pub log: Log,
}

/// Addresses to listen on, for each service; an empty list turns it off.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Listen {
    /// Mail from other servers (25).
    pub smtp: Vec<SocketAddr>,
    /// Mail from your devices, STARTTLS (587).
    pub submission: Vec<SocketAddr>,
    /// Mail from your devices, TLS (465).
    pub submissions: Vec<SocketAddr>,
    /// Reading mail, STARTTLS (143).
    pub imap: Vec<SocketAddr>,
    /// Reading mail, TLS (993).
    pub imaps: Vec<SocketAddr>,
    /// Fetching mail, STLS (110).
    pub pop3: Vec<SocketAddr>,
    /// Fetching mail, TLS (995).
    pub pop3s: Vec<SocketAddr>,
    /// Web, plain (80).
    pub http: Vec<SocketAddr>,
    /// Web, TLS (443).
    pub https: Vec<SocketAddr>,
}

impl Default for Listen {
    fn default() -> Self {
        let everywhere =
            |port| vec![SocketAddr::from(([0, 0, 0, 0], port)), SocketAddr::from(([0u16, 0, 0, 0, 0, 0, 0, 0], port))];
        Self {
            smtp: everywhere(25),
            submission: everywhere(587),
            submissions: everywhere(465),
            imap: everywhere(143),
            imaps: everywhere(993),
            pop3: everywhere(110),
            pop3s: everywhere(995),
            http: everywhere(80),
            https: everywhere(443),
        }
    }
}

impl Listen {
    /// All addresses with the key they stand under.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&'static str, SocketAddr)> {
        [
            ("smtp", &self.smtp),
            ("submission", &self.submission),
            ("submissions", &self.submissions),
            ("imap", &self.imap),
            ("imaps", &self.imaps),
            ("pop3", &self.pop3),
            ("pop3s", &self.pop3s),
            ("http", &self.http),
            ("https", &self.https),
        ]
        .into_iter()
        .flat_map(|(key, addresses)| addresses.iter().map(move |address| (key, *address)))
    }
}

/// PEM files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TlsFiles {
    /// The certificate and its chain.
    pub certificate: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// Certificates by ACME (RFC 8555), for every name the files under `[tls]` do not cover.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Acme {
    /// Ask for certificates. That agrees to the authority's terms.
    pub enabled: bool,
    /// The authority's directory.
    pub directory: String,
    /// An address the authority may write to; nobody's when empty.
    pub contact: String,
    /// A PEM file with the root of the authority's own HTTPS, for a private authority; empty for a public one.
    pub root: PathBuf,
}

impl Default for Acme {
    fn default() -> Self {
        Self {
            enabled: true,
            directory: mailstead_net::acme::LETS_ENCRYPT.to_owned(),
            contact: String::new(),
            root: PathBuf::new(),
        }
    }
}

impl Acme {
    /// The domain that names the authority in CAA records, where it is known and asked.
    pub(crate) fn issuer(&self) -> Option<String> {
        let known = [
            ("letsencrypt.org/", "letsencrypt.org"),
            ("zerossl.com/", "sectigo.com"),
            ("pki.goog/", "pki.goog"),
            ("buypass.com/", "buypass.com"),
        ];
        let found = known.iter().find(|(host, _)| self.enabled && self.directory.contains(host));
        found.map(|(_, issuer)| (*issuer).to_owned())
    }
}

/// How mail leaves.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Delivery {
    /// The port other servers listen on: 25, except in experiments.
    pub port: u16,
    /// Deliver to loopback and private addresses too: for a LAN or an experiment.
    pub allow_private: bool,
    /// Sign what your people send with their domain's keys (DKIM): off only where a relay signs it.
    pub sign: bool,
    /// Deliveries at once.
    pub concurrency: usize,
    /// Connections at once to one destination.
    pub per_destination: usize,
    /// Addresses of this server that its own network cards don't show (behind NAT): never delivered to, and names that
    /// lead to them get certificates.
    pub own_addresses: Vec<IpAddr>,
}

impl Default for Delivery {
    fn default() -> Self {
        Self {
            port: 25,
            allow_private: false,
            sign: true,
            concurrency: 32,
            per_destination: 4,
            own_addresses: Vec::new(),
        }
    }
}

/// Bounds on what peers may ask for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Limits {
    /// Largest message, in bytes.
    pub message_size: u64,
    /// Sessions at once on each kind of port.
    pub sessions: usize,
    /// Sessions at once from one address, on each kind of port.
    pub sessions_per_address: usize,
    /// Recipients of one message.
    pub recipients: usize,
}

impl Default for Limits {
    fn default() -> Self {
        // 50 MB is what Gmail takes in; 100 recipients is the least RFC 5321 4.5.3.1.8 allows, ten times that serves any list.
        Self { message_size: 50 << 20, sessions: 2_000, sessions_per_address: 100, recipients: 1_000 }
    }
}

/// What is logged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Log {
    /// `error`, `warn`, `info`, `debug`, or a filter such as `info,mailstead_smtp=debug`.
    pub level: String,
    /// One JSON object a line instead of text.
    pub json: bool,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), json: false }
    }
}

/// Why a configuration can't be used, in a sentence for the person who wrote it.
#[derive(Debug, Clone, thiserror::Error)]
#[error("{0}")]
pub(crate) struct ConfigError(pub String);

impl Config {
    /// A configuration with every default, for this host name.
    pub(crate) fn for_host(hostname: &str, data: PathBuf) -> Self {
        Self {
            hostname: hostname.to_owned(),
            data,
            listen: Listen::default(),
            tls: None,
            acme: Acme::default(),
            dns: Dns::default(),
            delivery: Delivery::default(),
            checks: Checks::default(),
            doctor: Doctor::default(),
            limits: Limits::default(),
            log: Log::default(),
        }
    }

    /// Reads and checks a file.
    ///
    /// # Errors
    /// A sentence that names the file, the line and the key.
    pub(crate) fn load(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| {
            let path = path.display();
            ConfigError(match error.kind() {
                std::io::ErrorKind::NotFound => format!(
                    "{path}: there is no configuration: write one with at least `{HOSTNAME_LINE}` or use --config FILE"
                ),
                _ => format!("{path}: the configuration can't be read: {error}"),
            })
        })?;
        Self::parse(&text).map_err(|ConfigError(what)| ConfigError(format!("{}: {what}", path.display())))
    }

    /// Parses and checks the text of a file.
    pub(crate) fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Self = toml::from_str(text).map_err(|error| ConfigError(explain(text, &error)))?;
        config.check().map_err(|ConfigError(what)| ConfigError(placed(text, &what)))?;
        Ok(config)
    }

    fn check(&self) -> Result<(), ConfigError> {
        let wrong = |key: &str, what: &str| Err(ConfigError(format!("{key}: {what}")));
        match Domain::parse(&self.hostname) {
            Ok(name) if name.as_str().contains('.') => {}
            _ if self.hostname.is_empty() => {}
            _ => return wrong("hostname", "write the server's full name, such as \"mail.example.org\""),
        }
        let zero = [
            ("limits.message_size", self.limits.message_size == 0),
            ("limits.sessions", self.limits.sessions == 0),
            ("limits.sessions_per_address", self.limits.sessions_per_address == 0),
            ("limits.recipients", self.limits.recipients == 0),
            ("delivery.concurrency", self.delivery.concurrency == 0),
            ("delivery.per_destination", self.delivery.per_destination == 0),
            ("delivery.port", self.delivery.port == 0),
        ];
        if let Some((key, _)) = zero.into_iter().find(|(_, is_zero)| *is_zero) {
            return wrong(key, "must be at least 1");
        }
        self.dns.check()?;
        self.doctor.check()?;
        if self.limits.recipients < 100 {
            return wrong("limits.recipients", "must be at least 100: other servers count on it (RFC 5321 4.5.3.1.8)");
        }
        if !self.acme.directory.starts_with("https://") {
            return wrong("acme.directory", "must begin with https://, such as the default");
        }
        if !self.acme.contact.is_empty() && Address::parse(&self.acme.contact).is_err() {
            return wrong("acme.contact", "write an address such as \"you@example.org\", or leave it empty");
        }
        if let Err(what) = crate::logging::filter(&self.log.level) {
            return wrong("log.level", &what);
        }
        let mut seen = std::collections::HashMap::new();
        for (key, address) in self.listen.all().filter(|(_, address)| address.port() != 0) {
            if let Some(other) = seen.insert(address, key) {
                return wrong(&format!("listen.{key}"), &format!("{address} is already taken by listen.{other}"));
            }
        }
        Ok(())
    }
}

fn default_data() -> PathBuf {
    PathBuf::from(DEFAULT_DATA)
}

/// "line 3: unknown field `hostnam`, expected …", without the library's drawing.
fn explain(text: &str, error: &toml::de::Error) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let line = before.map(|before| before.matches('\n').count() + 1);
    // A list may stand on several lines, the key on the first.
    let key = line.and_then(|line| text.lines().take(line).filter_map(key_of).last());
    let message = match error.message().trim() {
        "invalid socket address syntax" => "write an address with its port, such as \"0.0.0.0:25\" or \"[::]:25\"",
        "invalid IP address syntax" => "write an address, such as \"192.0.2.1\" or \"2001:db8::1\"",
        message => message,
    };
    match (line, key) {
        (Some(line), Some(key)) if !message.contains(key) => format!("line {line}: {key}: {message}"),
        (Some(line), _) => format!("line {line}: {message}"),
        (None, _) => message.to_owned(),
    }
}

/// "limits.recipients: must be …" with the line in front on which the key stands, when it does.
fn placed(text: &str, what: &str) -> String {
    let wanted = what.split_once(": ").map_or(what, |(key, _)| key);
    let mut table = String::new();
    for (number, line) in (1..).zip(text.lines()) {
        if let Some(header) = line.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            table = format!("{}.", header.trim());
        } else if key_of(line).is_some_and(|key| format!("{table}{key}") == wanted) {
            return format!("line {number}: {what}");
        }
    }
    what.to_owned()
}

/// The key on a line that begins with one.
fn key_of(line: &str) -> Option<&str> {
    let key = line.split_once('=')?.0.trim();
    (!key.is_empty() && !key.contains(['#', '"', '['])).then_some(key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn refusal(text: &str) -> String {
        Config::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_host_name_is_enough() {
        let config = Config::parse("hostname = \"mail.example.org\"").unwrap();
        assert_eq!(config, Config::for_host("mail.example.org", PathBuf::from(DEFAULT_DATA)));
    }

    #[test]
    fn errors_name_the_line_and_the_key() {
        assert!(
            refusal("hostname = \"mail.example.org\"\n[listen]\nsmpt = []\n")
                .starts_with("line 3: unknown field `smpt`")
        );
        let wrong = refusal("hostname = \"mail.example.org\"\n[limits]\nmessage_size = \"big\"\n");
        assert!(wrong.starts_with("line 3: message_size: "), "{wrong}");
        let relay = refusal("hostname = \"mail.example.org\"\n[checks]\ntrusted_relays = [\"192.0.2.0/33\"]\n");
        assert!(relay.starts_with("line 3: trusted_relays: \"192.0.2.0/33\" is no network"), "{relay}");
        assert!(refusal("hostname = \"mail\"").starts_with("line 1: hostname: "));
        for (lines, words) in [
            ("[limits]\n# few\nrecipients = 5", "line 4: limits.recipients: must be at least 100"),
            ("delivery.port = 0", "line 2: delivery.port: must be at least 1"),
            ("[log]\nlevel = \"info,mailstead=loud\"", "line 3: log.level: "),
            ("[listen]\nsmtp = [\n  \"127.0.0.1:25\",\n  \"here\"\n]", "line 5: smtp: write an address with its port"),
            ("[delivery]\nown_addresses = [\"here\"]", "line 3: own_addresses: write an address, such as"),
        ] {
            let said = refusal(&format!("hostname = \"mail.example.org\"\n{lines}\n"));
            assert!(said.starts_with(words), "{lines}: {said}");
        }
        for nameless in ["", "data = \"/srv/mail\"\n"] {
            assert_eq!(Config::parse(nameless).unwrap().hostname, "", "it is chosen while setting up");
        }
    }

    #[test]
    fn a_missing_file_is_explained_with_the_line_it_needs() {
        let folder = tempfile::tempdir().unwrap();
        let missing = Config::load(&folder.path().join("mailstead.toml")).unwrap_err().to_string();
        assert!(missing.contains("`hostname = \"mail.example.org\"` or use --config FILE"), "{missing}");
    }

    #[test]
    fn an_authority_is_asked_under_tls_alone_and_told_a_real_address() {
        let acme = |line: &str| refusal(&format!("hostname = \"mail.example.org\"\n[acme]\n{line}\n"));
        assert!(acme("directory = \"http://ca.lan/\"").starts_with("line 3: acme.directory: "));
        assert!(acme("contact = \"me\"").starts_with("line 3: acme.contact: "));
        assert!(acme("enabled = 1").starts_with("line 3: enabled: "));
    }

    #[test]
    fn one_address_serves_one_purpose() {
        let twice = "hostname = \"mail.example.org\"\n[listen]\nsmtp = [\"127.0.0.1:25\"]\nimap = [\"127.0.0.1:25\"]\n";
        assert!(refusal(twice).contains("listen.imap: 127.0.0.1:25 is already taken by listen.smtp"));
    }

    #[test]
    fn the_example_file_is_valid_and_shows_the_defaults() {
        let example = include_str!("../mailstead.example.toml");
        let shown = Config::parse(example).unwrap();
        assert_eq!(shown, Config::for_host("mail.example.org", PathBuf::from(DEFAULT_DATA)));
        let uncommented: String = example
            .lines()
            .filter(|line| !line.starts_with("# ") && *line != "#")
            .map(|line| line.strip_prefix('#').unwrap_or(line).to_owned() + "\n")
            .collect();
        let defaults = Config::parse(&uncommented).unwrap();
        let without_files = Config { tls: None, ..defaults };
        assert_eq!(without_files, shown, "a commented-out key shows another value than its default");
    }
}
