//! The command line.

mod account;
mod app_password;
mod backup;
mod config;
mod logs;
mod queue;
mod setup;
mod smarthost;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use mailstead_message::{Address, Domain};
use mailstead_net::dns::Kind;

pub(crate) use app_password::AppPasswordCommand;
pub(crate) use backup::{Backup, Restore};
pub(crate) use config::ConfigCommand;
pub(crate) use logs::Logs;
pub(crate) use queue::QueueCommand;
pub(crate) use setup::Setup;
pub(crate) use smarthost::{SmarthostCommand, TlsMode};

const EXAMPLES: &str = "\
Try it:
  mailstead demo                              a tiny internet on this machine, ready to play with
Set it up:
  mailstead setup                             leads through all of these
  mailstead config check                      is the configuration right?
  mailstead domain add example.org
  mailstead domain records example.org        what to publish in DNS
  mailstead domain check example.org          is it there, and right?
  mailstead account add alice@example.org     asks for a password
  mailstead alias add info@example.org alice@example.org
  mailstead serve
Look after it:
  mailstead doctor                            what is wrong here, and what to do about it
  mailstead dns check                         who answers questions about names, and what is lost by it
  mailstead queue list                        what waits to go out, and why
  mailstead trace alice@example.org           what became of her letters
  mailstead certificate list                  what the server proves its names with, and until when
  mailstead report list                       what other servers say of your mail

The same commands work while the server runs and while it does not.";

/// A whole mail server for one household in one binary.
#[derive(Debug, Parser)]
#[command(name = "mailstead", version, about, after_help = EXAMPLES, max_term_width = 100)]
pub(crate) struct Cli {
    /// The configuration file [default: /etc/mailstead/mailstead.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The data folder, instead of the configuration's
    #[arg(long, global = true, value_name = "FOLDER")]
    pub data: Option<PathBuf>,
    /// Print JSON, for scripts
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Run the server until it is told to stop (SIGTERM or Ctrl-C)
    Serve,
    /// Run a tiny internet on this machine: two servers, their DNS and ready accounts
    Demo(Demo),
    /// Lead through the first steps: the server's name, the first domain, the first account
    Setup(Setup),
    /// The domains whose mail is yours
    #[command(subcommand)]
    Domain(DomainCommand),
    /// The people who have a mailbox
    #[command(subcommand)]
    Account(AccountCommand),
    /// Passwords of single devices: they read and send mail, and can be taken back one by one
    #[command(subcommand)]
    AppPassword(AppPasswordCommand),
    /// Addresses that lead elsewhere
    #[command(subcommand)]
    Alias(AliasCommand),
    /// A relay for outgoing mail, for when your provider blocks port 25
    #[command(subcommand)]
    Smarthost(SmarthostCommand),
    /// Messages that wait to go out
    #[command(subcommand)]
    Queue(QueueCommand),
    /// The latest messages in and out, each in a line
    Activity {
        /// Only those that this address is part of
        address: Option<Address>,
        /// How many, newest first
        #[arg(long, default_value_t = 30)]
        limit: usize,
    },
    /// Tell what became of a message, by its id, or of the latest messages of an address
    Trace {
        /// A trace id (from a log line, a reply or a Received header) or an address
        #[arg(value_name = "ID|ADDRESS")]
        subject: String,
        /// How many messages of an address, newest first
        #[arg(long, default_value_t = 10)]
        limit: usize,
    },
    /// Mailing lists and forwarders whose word you take for who a letter was from (ARC)
    #[command(subcommand)]
    Sealer(SealerCommand),
    /// What other servers report about your domains: forged letters, broken TLS
    #[command(subcommand)]
    Report(ReportCommand),
    /// Addresses that are locked out after guessing passwords
    #[command(subcommand)]
    Ban(BanCommand),
    /// What the server proves its names with
    #[command(subcommand)]
    Certificate(CertificateCommand),
    /// Look for what keeps this machine from sending, receiving and being trusted, and say what to do; ends with 1
    /// if something is bad, else with 0
    Doctor,
    /// Make a proved copy of everything, while the server runs or not; read one; tell of the last
    Backup(Backup),
    /// Put a backup into an empty data folder
    Restore(Restore),
    /// What the running server has said of itself lately
    Logs(Logs),
    /// Is it running, how much waits?
    Status,
    /// The configuration file
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Who answers questions about names, and what they answer
    #[command(subcommand)]
    Dns(DnsCommand),
}

/// `mailstead dns …`
#[derive(Debug, Subcommand)]
pub(crate) enum DnsCommand {
    /// Find out, as at a start, who answers best with this configuration, and what is lost by it
    Check,
    /// Ask for a name's records, and say whether they are proved by signatures
    Ask {
        /// The name, or for PTR the address
        name: String,
        /// A, AAAA, MX, TXT, PTR, TLSA, NS, CNAME, SRV or CAA
        #[arg(value_name = "TYPE", default_value = "A", value_parser = record_kind)]
        kind: Kind,
    },
}

/// `mailstead demo`
#[derive(Debug, Args)]
pub(crate) struct Demo {
    /// Keep the data in this folder instead of a throw-away one
    #[arg(long, value_name = "FOLDER")]
    pub dir: Option<PathBuf>,
    /// Give alice a mailbox of that many varied letters
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: usize,
    /// Use fixed ports: home.test at this number plus the usual port (10000 gives SMTP on 10025),
    /// world.test 1000 higher [default: free ports]
    #[arg(long, value_name = "PORT", value_parser = clap::value_parser!(u16).range(1024..=60000))]
    pub base_port: Option<u16>,
    /// One more mail domain in the tiny internet, served by another program: its MX leads there
    #[arg(long, value_name = "DOMAIN=ADDRESS:PORT", value_parser = neighbour)]
    pub neighbour: Vec<(Domain, SocketAddr)>,
    /// More records for the tiny internet's DNS, in place of its own of the same name and type; read again when the
    /// file changes. Lines are `name TTL IN TYPE data`; for data may stand !NODATA, !NXDOMAIN, !SERVFAIL or !SILENCE,
    /// and for TYPE then ANY
    #[arg(long, value_name = "FILE")]
    pub records: Option<PathBuf>,
    /// What is logged to standard error
    #[arg(long, value_name = "LEVEL", default_value = "warn")]
    pub log: String,
}

/// `mailstead domain`
#[derive(Debug, Subcommand)]
pub(crate) enum DomainCommand {
    /// Add a domain
    Add {
        /// Its name, such as example.org
        #[arg(value_parser = domain_name)]
        domain: Domain,
    },
    /// List domains
    List,
    /// Remove a domain that has no accounts and no aliases any more
    Remove {
        /// Its name
        #[arg(value_parser = domain_name)]
        domain: Domain,
    },
    /// Show what to publish in DNS, so that the world trusts the domain's mail
    Records {
        /// The domain
        #[arg(value_parser = domain_name)]
        domain: Domain,
        /// As lines of a zone file
        #[arg(long)]
        zone: bool,
    },
    /// Look whether DNS says it rightly, and what is wrong; exits with 1 if a required record is missing or wrong
    Check {
        /// The domain
        #[arg(value_parser = domain_name)]
        domain: Domain,
    },
    /// List the keys that sign the domain's mail (DKIM)
    Keys {
        /// The domain
        #[arg(value_parser = domain_name)]
        domain: Domain,
    },
    /// Make the next keys; they sign once you have published them
    RotateKey {
        /// The domain
        #[arg(value_parser = domain_name)]
        domain: Domain,
        /// Give up the next keys instead, as long as they don't sign
        #[arg(long)]
        cancel: bool,
    },
    /// Say where mail for unknown addresses of a domain goes; without a target it is refused again
    CatchAll {
        /// The domain
        #[arg(value_parser = domain_name)]
        domain: Domain,
        /// The address that gets it
        target: Option<Address>,
    },
    /// Say how other servers must deliver to a domain (MTA-STS): with TLS and a valid certificate of this server or
    /// not at all (enforce), anyway but with a report of what is wrong (testing, the default), or as they like (none).
    /// Enforce once certificate and MX records are right: until then it would turn mail away
    MtaSts {
        /// The domain
        #[arg(value_parser = domain_name)]
        domain: Domain,
        /// How seriously it is meant
        #[arg(value_enum)]
        mode: StsMode,
    },
}

/// What a domain's MTA-STS policy wants of senders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StsMode {
    /// Valid TLS or no delivery
    Enforce,
    /// Deliver anyway, report what is wrong
    Testing,
    /// No policy
    None,
}

/// `mailstead certificate`
#[derive(Debug, Subcommand)]
pub(crate) enum CertificateCommand {
    /// List certificates: from whom, until when, and what keeps one from being renewed
    List,
    /// Ask now for what waits for its next try; with a name, for a new certificate whatever there is
    Renew {
        /// The name
        #[arg(value_parser = domain_name)]
        name: Option<Domain>,
    },
}

/// `mailstead account`
#[derive(Debug, Subcommand)]
pub(crate) enum AccountCommand {
    /// Add an account; asks for its password, or reads it from standard input
    Add {
        /// Its address, the login name too
        address: Address,
        /// Make a random password and print it
        #[arg(long)]
        generate: bool,
        /// The most it may store, such as 500M or 10G
        #[arg(long, value_name = "SIZE", value_parser = size)]
        quota: Option<u64>,
    },
    /// List accounts
    List,
    /// Show one account with all that belongs to it
    Show {
        /// The account
        address: Address,
    },
    /// Sign an account out of all browsers
    SignOut {
        /// The account
        address: Address,
    },
    /// Set an account's password
    Passwd {
        /// The account
        address: Address,
        /// Make a random password and print it
        #[arg(long)]
        generate: bool,
    },
    /// Set the most an account may store; without a size there is no limit
    Quota {
        /// The account
        address: Address,
        /// Such as 500M or 10G
        #[arg(value_parser = size)]
        quota: Option<u64>,
    },
    /// Give an account one more address, to receive and to send with
    AddAddress {
        /// The account
        account: Address,
        /// The further address
        address: Address,
    },
    /// Take a further address away
    RemoveAddress {
        /// The account
        account: Address,
        /// The further address
        address: Address,
    },
    /// Have an account's mail sent on to other addresses, or no longer
    Forward(account::Forward),
    /// No more login and sending; mail still arrives
    Disable {
        /// The account
        address: Address,
    },
    /// Allow login again
    Enable {
        /// The account
        address: Address,
    },
    /// Say whether an account may govern the server at the web
    Operator {
        /// The account
        address: Address,
        /// on or off
        #[arg(value_enum)]
        switch: Switch,
    },
    /// Remove an account WITH ALL ITS MAIL
    Remove {
        /// The account
        address: Address,
        /// Don't ask
        #[arg(long)]
        yes: bool,
    },
}

/// `mailstead alias`
#[derive(Debug, Subcommand)]
pub(crate) enum AliasCommand {
    /// Add an alias, or replace its targets
    Add {
        /// The address
        address: Address,
        /// Where it leads: one or more addresses, here or elsewhere
        #[arg(required = true)]
        targets: Vec<Address>,
    },
    /// List aliases
    List,
    /// Remove an alias
    Remove {
        /// The address
        address: Address,
    },
}

/// `mailstead report`
#[derive(Debug, Subcommand)]
pub(crate) enum ReportCommand {
    /// The reports that came, newest first
    List {
        /// Only about this domain
        #[arg(value_parser = domain_name)]
        domain: Option<Domain>,
        /// How many
        #[arg(long, default_value_t = 50)]
        limit: usize,
    },
    /// What the reports of the last 30 days say together, day by day and sender by sender
    Digest {
        /// Only about this domain
        #[arg(value_parser = domain_name)]
        domain: Option<Domain>,
    },
    /// One report in plain words
    Show {
        /// The number in the list
        id: u64,
    },
    /// Send the reports that other domains ask of you now, instead of waiting for the night
    Send {
        /// Only about this day in UTC, such as 2026-11-25, even if it is not over
        #[arg(long)]
        day: Option<String>,
    },
    /// Whether reports are sent each day to the domains that ask for them (on unless you turn it off)
    Sending {
        /// on or off
        #[arg(value_enum)]
        switch: Switch,
    },
}

/// On or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Switch {
    /// Yes
    On,
    /// No
    Off,
}

/// `mailstead sealer`
#[derive(Debug, Subcommand)]
pub(crate) enum SealerCommand {
    /// Take the letters that a domain sealed as it saw them, though it changed them and their authors' domains ask to
    /// refuse that. Trust only whom you know: who is trusted can write in anybody's name
    Trust {
        /// The domain in its seals (d=), such as lists.example.org
        #[arg(value_parser = domain_name)]
        domain: Domain,
    },
    /// List the domains that are trusted; at first there is none
    List,
    /// Trust a domain no more
    Distrust {
        /// The domain
        #[arg(value_parser = domain_name)]
        domain: Domain,
    },
}

/// `mailstead ban`
#[derive(Debug, Subcommand)]
pub(crate) enum BanCommand {
    /// List locked-out addresses
    List,
    /// Let an address in again, or all
    Lift {
        /// The address; all when left out
        address: Option<std::net::IpAddr>,
    },
}

fn neighbour(text: &str) -> Result<(Domain, SocketAddr), String> {
    let (domain, address) = text.split_once('=').ok_or("write DOMAIN=ADDRESS:PORT")?;
    Ok((
        Domain::parse(domain).map_err(|error| error.to_string())?,
        address.parse().map_err(|_| "the part behind = is an IP address with a port, such as 127.0.0.1:2525")?,
    ))
}

fn domain_name(text: &str) -> Result<Domain, String> {
    match text.rsplit_once('@') {
        Some((_, domain)) => Err(format!("give only the domain, such as {domain}")),
        None => Domain::parse(text).map_err(|error| error.to_string()),
    }
}

fn record_kind(text: &str) -> Result<Kind, String> {
    Ok(match text.to_ascii_uppercase().as_str() {
        "A" => Kind::A,
        "AAAA" => Kind::Aaaa,
        "MX" => Kind::Mx,
        "TXT" => Kind::Txt,
        "PTR" => Kind::Ptr,
        "TLSA" => Kind::Tlsa,
        "NS" => Kind::Ns,
        "CNAME" => Kind::Cname,
        "SRV" => Kind::Srv,
        "CAA" => Kind::Caa,
        _ => return Err("write A, AAAA, MX, TXT, PTR, TLSA, NS, CNAME, SRV or CAA".to_owned()),
    })
}

/// Parses `500M`, `10G`, `1048576`: powers of 1024.
fn size(text: &str) -> Result<u64, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = text.get(digits.len()..).unwrap_or_default().to_ascii_uppercase();
    let shift = match unit.trim_end_matches("IB").trim_end_matches('B') {
        "" => 0,
        "K" => 10,
        "M" => 20,
        "G" => 30,
        "T" => 40,
        _ => return Err("write a number with K, M, G or T, such as 500M".to_owned()),
    };
    let number: u64 = digits.parse().map_err(|_| "write a number with K, M, G or T, such as 500M".to_owned())?;
    number.checked_mul(1 << shift).ok_or_else(|| "that is more than any disk".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    /// Commands in a text: lines that begin with one, up to a comment or an explanation, and those in backquotes.
    fn commands(text: &str) -> Vec<Vec<&str>> {
        let lines = text.lines().filter(|line| !line.contains('`')).map(str::trim);
        let lines = lines.map(|line| line.split_once("  ").map_or(line, |(command, _)| command));
        let quoted = text.split('`').skip(1).step_by(2);
        let all = lines.chain(quoted).filter(|command| command.starts_with("mailstead ") && !command.contains('…'));
        all.map(|command| command.split_whitespace().take_while(|word| !word.starts_with(['#', '>'])).collect())
            .collect()
    }

    #[test]
    fn every_command_that_is_written_of_is_understood() {
        let (readme, example) = (include_str!("../../README.md"), include_str!("../mailstead.example.toml"));
        let found: Vec<Vec<&str>> = [readme, example, EXAMPLES].into_iter().flat_map(commands).collect();
        assert!(found.len() > 30, "{found:?}");
        for command in found {
            if let Err(error) = Cli::try_parse_from(&command) {
                assert!(!error.use_stderr(), "{command:?}: {error}");
            }
        }
    }

    #[test]
    fn the_readmes_table_names_every_command_there_is() {
        let rows = include_str!("../../README.md").lines().filter_map(|line| line.strip_prefix("| `"));
        let told: Vec<String> = rows.filter_map(|row| row.split_once(" | ")).map(|(cell, _)| cell.to_owned()).collect();
        for command in Cli::command().get_subcommands() {
            let name = command.get_name();
            if ["serve", "demo"].contains(&name) {
                continue;
            }
            let of_it: Vec<&String> = told
                .iter()
                .filter(|cell| cell.contains(&format!("{name} ")) || cell.starts_with(&format!("{name}`")))
                .collect();
            assert!(!of_it.is_empty(), "{name}");
            for part in command.get_subcommands() {
                let words: Vec<&str> = of_it.iter().flat_map(|cell| cell.split([' ', '`', ','])).collect();
                assert!(words.contains(&part.get_name()), "{name} {}", part.get_name());
            }
        }
    }

    #[test]
    fn sizes_are_read_as_people_write_them() {
        assert_eq!(size("500M"), Ok(500 << 20));
        assert_eq!(size("10GiB"), Ok(10 << 30));
        assert_eq!(size("1024"), Ok(1024));
        assert_eq!(size("2k"), Ok(2048));
        assert!(size("").is_err() && size("M").is_err() && size("1X").is_err() && size("99999999T").is_err());
    }

    #[test]
    fn an_address_in_place_of_a_domain_is_explained() {
        assert_eq!(domain_name("mail@x.org").unwrap_err(), "give only the domain, such as x.org");
        assert_eq!(domain_name("x.org"), Ok(Domain::parse("x.org").unwrap()));
    }

    #[test]
    fn a_neighbour_is_a_domain_and_a_socket_address() {
        assert_eq!(
            neighbour("postfix.test=127.0.0.1:2525"),
            Ok((Domain::parse("postfix.test").unwrap(), "127.0.0.1:2525".parse().unwrap()))
        );
        assert!(neighbour("postfix.test").is_err() && neighbour("postfix.test=localhost:25").is_err());
    }
}
