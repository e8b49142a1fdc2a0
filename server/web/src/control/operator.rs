//! The one place where an operator's requests are carried out.

use std::sync::Arc;
use std::time::Instant;

use mailstead_advice::doctor::Doctor;
use mailstead_advice::records::Host;
use mailstead_message::{Address, Domain};
use mailstead_net::Gate;
use mailstead_net::acme::Keeper;
use mailstead_net::dns::Dns;
use mailstead_outbound::Reporter;
use mailstead_store::{Account, Alias, DomainRecord, Route, Smarthost, Store, StoreError, StsMode, Timestamp};

use crate::logs::{RECENT, Severity};

use super::keys;
use super::protocol::{Answer, Request, Response};
use super::setup::Naming;
use super::views::{AccountView, BanView, DomainView, SmarthostView, StatusView};
use super::{app_passwords, certificates, forwarding, people, reports, sts};

/// Characters a password needs (NIST SP 800-63B).
const MIN_PASSWORD: usize = 8;

/// Carries out requests on a store: a running server's, or a stopped one's opened for the occasion.
#[derive(Clone)]
pub struct Operator {
    pub(super) store: Store,
    running: Option<(Arc<Gate>, Instant)>,
    pub(super) names: Option<Arc<dyn Dns>>,
    /// Our host name, where it is known.
    pub(super) hostname: Option<String>,
    pub(super) reporter: Option<Arc<Reporter>>,
    pub(super) certificates: Option<Keeper>,
    pub(super) doctor: Option<Arc<Doctor>>,
    pub(super) naming: Naming,
    /// What is known of the mail host.
    pub(super) host: Option<Host>,
}

impl Operator {
    /// On a running server.
    pub fn running(store: Store, gate: Arc<Gate>, names: Arc<dyn Dns>, hostname: String) -> Self {
        let running = Some((gate, Instant::now()));
        Self { running, names: Some(names), ..Self::stopped(store, Some(hostname)) }
    }

    /// On a stopped server's store. `hostname` is our host name, where it is known.
    pub fn stopped(store: Store, hostname: Option<String>) -> Self {
        let naming = Naming { fixed: hostname.is_some(), renamed: None };
        let chosen = || store.hostname().ok().flatten().map(|name| name.to_string());
        let hostname = hostname.or_else(chosen);
        Self {
            store,
            running: None,
            names: None,
            hostname,
            reporter: None,
            certificates: None,
            doctor: None,
            naming,
            host: None,
        }
    }

    /// With one that sends the reports we owe.
    #[must_use]
    pub fn with_reporter(self, reporter: Arc<Reporter>) -> Self {
        Self { reporter: Some(reporter), ..self }
    }

    /// With one that looks after the certificates.
    #[must_use]
    pub fn with_certificates(self, certificates: Keeper) -> Self {
        Self { certificates: Some(certificates), ..self }
    }

    /// With a doctor for the host.
    #[must_use]
    pub fn with_doctor(self, doctor: Arc<Doctor>) -> Self {
        Self { doctor: Some(doctor), ..self }
    }

    /// With what is known of where the host name comes from.
    #[must_use]
    pub fn with_naming(self, naming: Naming) -> Self {
        Self { naming, ..self }
    }

    pub(super) fn is_running(&self) -> bool {
        self.running.is_some()
    }

    /// With what is known of the mail host.
    #[must_use]
    pub fn with_host(self, host: Host) -> Self {
        Self { host: Some(host), ..self }
    }

    /// Carries out one request.
    pub async fn perform(&self, request: Request) -> Response {
        match self.answer(request).await {
            Ok(answer) => Response::Ok(answer),
            Err(error) => Response::Error(error.to_string()),
        }
    }

    async fn answer(&self, request: Request) -> Result<Answer, StoreError> {
        match request {
            Request::DomainAdd { .. }
            | Request::DomainList
            | Request::DomainRemove { .. }
            | Request::CatchAll { .. }
            | Request::StsMode { .. } => self.domain(request).await,
            Request::DomainRecords { domain, hostname } => self.records(&domain, hostname),
            Request::DomainCheck { domain, hostname } => self.domain_check(&domain, hostname).await,
            Request::DomainKeys { domain } => keys::list(&self.store, &domain),
            Request::DomainRotateKey { domain, cancel: false } => keys::rotate(&self.store, &domain).await,
            Request::DomainRotateKey { domain, cancel: true } => keys::cancel(&self.store, &domain).await,
            Request::AccountAdd { .. }
            | Request::AccountList
            | Request::AccountPassword { .. }
            | Request::AccountQuota { .. }
            | Request::AccountAddAddress { .. }
            | Request::AccountRemoveAddress { .. }
            | Request::AccountDisabled { .. }
            | Request::AccountOperator { .. }
            | Request::AccountForward { .. }
            | Request::AccountRemove { .. } => self.account(request).await,
            Request::AppPasswordAdd { .. } | Request::AppPasswordList { .. } | Request::AppPasswordRemove { .. } => {
                app_passwords::perform(&self.store, request).await
            }
            Request::AccountShow { .. } | Request::SessionEnd { .. } => people::perform(&self.store, request).await,
            Request::AliasSet { address, targets } => {
                let sentence = format!("{address} leads to {}.", list(&targets));
                self.store.set_alias(Alias { address, targets: targets.clone() }).await?;
                done(sentence + &self.dead_ends(&targets)?)
            }
            Request::AliasList => people::aliases(&self.store),
            Request::AliasRemove { address } => {
                self.store.remove_alias(&address).await?;
                done(format!("The alias {address} is removed."))
            }
            Request::SmarthostSet { domain, smarthost } => {
                let sentence = match &smarthost {
                    Some(relay) => format!("Outgoing mail goes through {}:{}.", relay.host, relay.port),
                    None => "Outgoing mail is delivered directly.".to_owned(),
                };
                self.store.set_smarthost(domain.as_ref(), smarthost).await?;
                done(sentence)
            }
            Request::SmarthostList => self.smarthosts(),
            Request::QueueList | Request::Queue { .. } | Request::QueueBounce { .. } | Request::QueueRetryAll => {
                self.queue(request).await
            }
            Request::Trace { .. } | Request::TraceAddress { .. } | Request::Activity { .. } | Request::Story { .. } => {
                self.activity(request)
            }
            Request::BanList => Ok(Answer::Bans(self.bans())),
            Request::BanLift { address } => {
                let (gate, _) = self.running.as_ref().ok_or_else(not_running)?;
                gate.unban(address);
                done(match address {
                    Some(address) => format!("{address} may log in again."),
                    None => "Everybody may log in again.".to_owned(),
                })
            }
            Request::ReportList { .. }
            | Request::ReportDigest { .. }
            | Request::ReportShow { .. }
            | Request::ReportSend { .. }
            | Request::ReportSending { .. } => self.report(request).await,
            Request::SealerList => {
                Ok(Answer::Sealers(self.store.trusted_sealers()?.iter().map(Domain::to_unicode).collect()))
            }
            Request::SealerTrust { domain, trusted: true } => {
                self.store.trust_sealer(domain.clone()).await?;
                done(format!(
                    "What {} seals is believed: a changed letter that it saw to be its author's is taken.",
                    domain.to_unicode()
                ))
            }
            Request::SealerTrust { domain, trusted: false } => {
                self.store.distrust_sealer(domain.clone()).await?;
                done(format!("What {} seals is believed no more.", domain.to_unicode()))
            }
            Request::CertificateList => {
                certificates::list(self.certificates.as_ref(), &self.store, self.hostname.as_deref())
            }
            Request::CertificateRenew { name } => certificates::renew(self.certificates.as_ref(), name.as_deref()),
            Request::Doctor => self.examine().await,
            Request::Logs { least, containing, limit } => self.logs(least, &containing, limit),
            Request::Setup | Request::SetupLink | Request::SetupHostname { .. } | Request::SetupOperator { .. } => {
                self.set_up(request).await
            }
            Request::Backups | Request::BackupStage | Request::BackupEnd { .. } | Request::BackupNow => {
                self.backup(request).await
            }
            Request::Status => self.status(),
        }
    }

    async fn domain(&self, request: Request) -> Result<Answer, StoreError> {
        match request {
            Request::DomainAdd { domain } => {
                mailstead_outbound::add_domain(&self.store, domain.clone()).await?;
                let name = domain.to_unicode();
                done(format!(
                    "The domain {name} is added. What to publish in DNS for it shows `mailstead domain records {name}`."
                ))
            }
            Request::DomainRemove { domain } => {
                self.store.remove_domain(&domain).await?;
                certificates::forget(&self.store, &domain).await?;
                done(format!("The domain {} is removed.", domain.to_unicode()))
            }
            Request::CatchAll { domain, target } => {
                let sentence = match &target {
                    Some(target) => format!("Mail for unknown addresses of {} goes to {target}.", domain.to_unicode()),
                    None => format!("Mail for unknown addresses of {} is refused.", domain.to_unicode()),
                };
                self.store.set_catch_all(&domain, target).await?;
                done(sentence)
            }
            Request::StsMode { domain, mode } => {
                self.store.set_sts_mode(&domain, mode).await?;
                let mut sentence = sts::changed(&domain, mode);
                if mode == StsMode::Enforce {
                    for doubt in self.sts_doubts(&domain).await? {
                        sentence += &format!("\nCareful: {doubt}");
                    }
                }
                done(sentence)
            }
            _ => {
                let views = self.store.domains()?.into_iter().map(|domain| self.domain_view(domain));
                Ok(Answer::Domains(views.collect::<Result<_, _>>()?))
            }
        }
    }

    async fn account(&self, request: Request) -> Result<Answer, StoreError> {
        match request {
            Request::AccountAdd { address, password, quota } => {
                check_password(&password)?;
                self.store.add_account(address.clone(), &password, quota).await?;
                done(format!("The account {address} is ready."))
            }
            Request::AccountPassword { address, password } => {
                check_password(&password)?;
                self.store.set_password(&address, &password).await?;
                done(format!("The password of {address} is changed."))
            }
            Request::AccountQuota { address, quota } => {
                self.store.set_quota(&address, quota).await?;
                done(match quota {
                    Some(bytes) => format!("{address} may store {bytes} bytes."),
                    None => format!("{address} may store as much as there is room."),
                })
            }
            Request::AccountAddAddress { account, address } => {
                let sentence = format!("{address} belongs to {account}.");
                self.store.add_address(&account, address).await?;
                done(sentence)
            }
            Request::AccountRemoveAddress { account, address } => {
                self.store.remove_address(&account, &address).await?;
                done(format!("{address} no longer belongs to {account}."))
            }
            Request::AccountDisabled { address, disabled } => {
                self.store.set_disabled(&address, disabled).await?;
                done(match disabled {
                    true => format!("{address} can no longer log in; mail for it still arrives."),
                    false => format!("{address} can log in again."),
                })
            }
            Request::AccountOperator { address, operator } => {
                self.store.set_operator(&address, operator).await?;
                done(match operator {
                    true => format!("{address} may govern this server at the web."),
                    false => format!("{address} no longer governs this server."),
                })
            }
            Request::AccountForward { address, to, keep } => forwarding::set(&self.store, &address, to, keep).await,
            Request::AccountRemove { address } => {
                self.store.remove_account(&address).await?;
                done(format!("The account {address} and all its mail are removed."))
            }
            _ => Ok(Answer::Accounts(self.store.accounts()?.into_iter().map(account_view).collect())),
        }
    }

    /// What speaks against a policy in force; nothing that can be told while the server is stopped.
    async fn sts_doubts(&self, domain: &Domain) -> Result<Vec<String>, StoreError> {
        let Some(host) = &self.hostname else { return Ok(Vec::new()) };
        let policy = mailstead_outbound::sts::Policy::own(StsMode::Enforce, host);
        let certificates = certificates::standings(self.certificates.as_ref(), &self.store, Some(host))?;
        Ok(sts::doubts(self.names.as_deref(), domain, &policy, host, &certificates).await)
    }

    fn domain_view(&self, domain: DomainRecord) -> Result<DomainView, StoreError> {
        Ok(DomainView {
            mta_sts: self.store.sts_mode(&domain.name)?.unwrap_or_default(),
            domain: domain.name.to_unicode(),
            catch_all: domain.catch_all.map(|address| address.to_string()),
            created: time(domain.created),
        })
    }

    /// A warning for targets here that are nobody's. No refusal: aliases may be set up before their accounts.
    fn dead_ends(&self, targets: &[Address]) -> Result<String, StoreError> {
        let mut nobodys = Vec::new();
        for target in targets {
            if self.store.route(target)? == Route::Unknown {
                nobodys.push(target.clone());
            }
        }
        if nobodys.is_empty() {
            return Ok(String::new());
        }
        Ok(format!(" Careful: nobody has {} yet, so nothing arrives there.", list(&nobodys)))
    }

    fn smarthosts(&self) -> Result<Answer, StoreError> {
        let mut views = Vec::new();
        if let Some(relay) = self.store.smarthost_for(None)? {
            views.push(smarthost_view(None, relay));
        }
        for domain in self.store.domains()? {
            if let Some(relay) = domain.smarthost {
                views.push(smarthost_view(Some(domain.name.to_unicode()), relay));
            }
        }
        Ok(Answer::Smarthosts(views))
    }

    fn bans(&self) -> Vec<BanView> {
        let Some((gate, _)) = &self.running else { return Vec::new() };
        gate.bans()
            .into_iter()
            .map(|ban| BanView { address: ban.network.to_string(), seconds: ban.remaining.as_secs() })
            .collect()
    }

    fn logs(&self, least: Severity, containing: &str, limit: usize) -> Result<Answer, StoreError> {
        if self.running.is_none() && RECENT.is_empty() {
            let text = "The server is not running; what it said before is in the system's journal: \
                        `sudo journalctl -u mailstead`.";
            return Err(StoreError::Invalid(text.to_owned()));
        }
        Ok(Answer::Logs(RECENT.lines(least, containing, limit)))
    }

    fn status(&self) -> Result<Answer, StoreError> {
        let accounts = self.store.accounts()?;
        let queue = self.store.queue()?;
        let (reports_of_failed_letters, reports_of_failed_tls) = reports::of_trouble(&self.store)?;
        Ok(Answer::Status(StatusView {
            running: self.running.is_some(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            uptime_seconds: self.running.as_ref().map(|(_, since)| since.elapsed().as_secs()),
            domains: self.store.domains()?.len(),
            accounts: accounts.len(),
            used: accounts.iter().map(|account| account.used).sum(),
            queued: queue.len(),
            dns: self.names.as_ref().map(|names| names.describe()),
            oldest_queued: queue.iter().map(|entry| entry.created).min().map(time),
            certificates_expiring: certificates::expiring(
                self.certificates.as_ref(),
                &self.store,
                self.hostname.as_deref(),
            )?,
            reports_of_failed_letters,
            reports_of_failed_tls,
        }))
    }
}

pub(super) fn done(sentence: String) -> Result<Answer, StoreError> {
    Ok(Answer::Done(sentence))
}

pub(super) fn check_password(password: &str) -> Result<(), StoreError> {
    if password.chars().count() < MIN_PASSWORD {
        return Err(StoreError::Invalid(format!("a password needs at least {MIN_PASSWORD} characters")));
    }
    Ok(())
}

fn not_running() -> StoreError {
    StoreError::Invalid("The server is not running, so nobody is locked out.".to_owned())
}

pub(super) fn list(addresses: &[Address]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

pub(crate) fn time(at: Timestamp) -> String {
    jiff::Timestamp::from_second(at.0).map_or_else(|_| at.0.to_string(), |at| at.to_string())
}

pub(super) fn account_view(account: Account) -> AccountView {
    AccountView {
        address: account.address.to_string(),
        addresses: account.addresses.iter().map(ToString::to_string).collect(),
        disabled: account.disabled,
        operator: account.operator,
        keeps: account.forwarding.as_ref().is_none_or(|forwarding| forwarding.keep),
        forwards: account.forwarding.map_or_else(Vec::new, |known| known.to.iter().map(Address::to_string).collect()),
        used: account.used,
        quota: account.quota,
        created: time(account.created),
    }
}

fn smarthost_view(domain: Option<String>, relay: Smarthost) -> SmarthostView {
    SmarthostView {
        domain,
        host: relay.host,
        port: relay.port,
        tls: relay.tls,
        user: relay.login.map(|(user, _)| user),
    }
}
