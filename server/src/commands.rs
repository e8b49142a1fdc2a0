//! The operator's commands: asked of a running server through its control socket, or of a stopped one's store.

use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;
use std::time::Duration;

use mailstead_message::Address;
use mailstead_store::{Options, Smarthost, SmarthostTls};
pub(crate) use mailstead_web::control::generate_password;
use mailstead_web::control::{Answer, Client, ControlError, Operator, Request, Response};

use crate::cli::{
    AccountCommand, AliasCommand, BanCommand, CertificateCommand, Command, DomainCommand, ReportCommand, SealerCommand,
    SmarthostCommand, StsMode, Switch, TlsMode,
};
use crate::print;
use crate::serve::{holds_store, open_store};

/// What is said in front of a password that was made up.
pub(crate) const PASSWORD_SHOWN: &str = "Its password, shown only now: ";

/// A server that starts anew is back by then.
const RESTART_PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks whether it is.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// Carries out one command and prints what came of it. `hostname` is the configuration's, where that was read.
///
/// # Errors
/// One sentence for the operator.
pub(crate) async fn run(command: Command, data: &Path, hostname: Option<String>, json: bool) -> Result<(), String> {
    let mut house = House::reach(data, may_begin(&command), hostname.clone()).await?;
    if let Command::Account(AccountCommand::Add { address, .. }) = &command {
        house.require_domain(address).await?;
    }
    let checks = matches!(&command, Command::Domain(DomainCommand::Check { .. }));
    let as_zone = matches!(&command, Command::Domain(DomainCommand::Records { zone: true, .. }));
    let (request, generated) = request(command, hostname)?;
    let answer = match house.ask(request).await? {
        Response::Ok(answer) => answer,
        Response::Error(sentence) => return Err(sentence),
    };
    match &answer {
        Answer::DomainCheck(check) if as_zone => print::zone(check),
        answer => print::answer(answer, generated.as_deref(), json)?,
    }
    match &answer {
        Answer::DomainCheck(check) if checks && check.at.is_none() => {
            Err("nobody has looked at DNS, because the server is not running: start it and try again".to_owned())
        }
        Answer::DomainCheck(check) if checks && !check.is_sound() => {
            Err(format!("{} is not yet ready for mail: see the records marked !!", check.domain))
        }
        _ => Ok(()),
    }
}

/// Only the first domain begins a store: any other command on an empty folder has mistaken the path.
fn may_begin(command: &Command) -> bool {
    matches!(command, Command::Domain(DomainCommand::Add { .. }))
}

/// A server, running or not: the user need not know.
pub(crate) enum House {
    Running(Client),
    Stopped(Operator),
}

impl House {
    pub(crate) async fn reach(data: &Path, may_begin: bool, hostname: Option<String>) -> Result<Self, String> {
        match Client::connect(data).await {
            Ok(client) => Ok(Self::Running(client)),
            Err(ControlError::NotRunning) if !may_begin && !holds_store(data) => Err(format!(
                "there is no Mailstead data in {}: is the path right? `mailstead domain add` or `mailstead serve` makes it",
                data.display()
            )),
            Err(ControlError::NotRunning) => {
                let store = open_store(data, Options::default())?;
                Ok(Self::Stopped(Operator::stopped(store, hostname)))
            }
            Err(error) => Err(error.to_string()),
        }
    }

    /// Reaches a server again that starts anew under another name, or a stopped one at once.
    pub(crate) async fn reach_again(data: &Path, hostname: &str) -> Result<Self, String> {
        let until = tokio::time::Instant::now() + RESTART_PATIENCE;
        loop {
            let reached = Self::reach(data, true, None).await;
            if let Ok(mut house) = reached
                && let Ok(Response::Ok(Answer::Setup(view))) = house.ask(Request::Setup).await
                && view.hostname.as_deref() == Some(hostname)
            {
                return Ok(house);
            }
            if tokio::time::Instant::now() > until {
                return Err("the server did not come back under its new name: look at its log".to_owned());
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    }

    /// Whether a server runs.
    pub(crate) fn is_running(&self) -> bool {
        matches!(self, Self::Running(_))
    }

    /// Before a password is asked for: nobody should type one in vain.
    async fn require_domain(&mut self, address: &Address) -> Result<(), String> {
        let wanted = address.domain().to_unicode();
        match self.ask(Request::DomainList).await? {
            Response::Ok(Answer::Domains(list)) if list.iter().all(|known| known.domain != wanted) => {
                Err(format!("{wanted} is not a domain of this server: add it with `mailstead domain add {wanted}`"))
            }
            Response::Ok(_) => Ok(()),
            Response::Error(sentence) => Err(sentence),
        }
    }

    pub(crate) async fn ask(&mut self, request: Request) -> Result<Response, String> {
        match self {
            Self::Running(client) => client.ask(&request).await.map_err(|error| error.to_string()),
            Self::Stopped(operator) => Ok(operator.perform(request).await),
        }
    }
}

/// The request behind a command, and the password that was made up for it, if one was.
fn request(command: Command, hostname: Option<String>) -> Result<(Request, Option<String>), String> {
    let mut generated = None;
    let mut password = |address: &Address, generate: bool| -> Result<String, String> {
        if generate {
            let made = generate_password();
            generated = Some(made.clone());
            Ok(made)
        } else {
            ask_password(&format!("Password for {address}"), true)
        }
    };
    let request = match command {
        Command::Domain(command) => domain(command, hostname),
        Command::Account(AccountCommand::Add { address, generate, quota }) => {
            Request::AccountAdd { password: password(&address, generate)?, address, quota }
        }
        Command::Account(AccountCommand::Passwd { address, generate }) => {
            Request::AccountPassword { password: password(&address, generate)?, address }
        }
        Command::Account(AccountCommand::Remove { address, yes }) => {
            confirm_removal(&address, yes)?;
            Request::AccountRemove { address }
        }
        Command::Account(command) => account(command),
        Command::AppPassword(command) => command.request(),
        Command::Logs(command) => command.request(),
        Command::Alias(AliasCommand::Add { address, targets }) => Request::AliasSet { address, targets },
        Command::Alias(AliasCommand::List) => Request::AliasList,
        Command::Alias(AliasCommand::Remove { address }) => Request::AliasRemove { address },
        Command::Smarthost(command) => smarthost(command)?,
        Command::Queue(command) => command.request(),
        Command::Activity { address, limit } => Request::Activity { address, before: None, limit },
        Command::Trace { subject, limit } => match Address::parse(&subject) {
            Ok(address) => Request::TraceAddress { address, limit },
            Err(_) => Request::Trace { id: subject },
        },
        Command::Report(command) => report(command),
        Command::Sealer(SealerCommand::List) => Request::SealerList,
        Command::Sealer(SealerCommand::Trust { domain }) => Request::SealerTrust { domain, trusted: true },
        Command::Sealer(SealerCommand::Distrust { domain }) => Request::SealerTrust { domain, trusted: false },
        Command::Certificate(CertificateCommand::List) => Request::CertificateList,
        Command::Certificate(CertificateCommand::Renew { name }) => {
            Request::CertificateRenew { name: name.map(|name| name.to_string()) }
        }
        Command::Ban(BanCommand::List) => Request::BanList,
        Command::Ban(BanCommand::Lift { address }) => Request::BanLift { address },
        // The others never come here: `main` carries them out itself.
        Command::Doctor
        | Command::Status
        | Command::Serve
        | Command::Demo(_)
        | Command::Setup(_)
        | Command::Backup(_)
        | Command::Restore(_)
        | Command::Config(_)
        | Command::Dns(_) => Request::Status,
    };
    Ok((request, generated))
}

fn domain(command: DomainCommand, hostname: Option<String>) -> Request {
    match command {
        DomainCommand::Add { domain } => Request::DomainAdd { domain },
        DomainCommand::List => Request::DomainList,
        DomainCommand::Remove { domain } => Request::DomainRemove { domain },
        DomainCommand::CatchAll { domain, target } => Request::CatchAll { domain, target },
        DomainCommand::MtaSts { domain, mode } => {
            let mode = match mode {
                StsMode::Enforce => mailstead_store::StsMode::Enforce,
                StsMode::Testing => mailstead_store::StsMode::Testing,
                StsMode::None => mailstead_store::StsMode::None,
            };
            Request::StsMode { domain, mode }
        }
        DomainCommand::Records { domain, .. } => Request::DomainRecords { domain, hostname },
        DomainCommand::Check { domain } => Request::DomainCheck { domain, hostname },
        DomainCommand::Keys { domain } => Request::DomainKeys { domain },
        DomainCommand::RotateKey { domain, cancel } => Request::DomainRotateKey { domain, cancel },
    }
}

fn report(command: ReportCommand) -> Request {
    match command {
        ReportCommand::List { domain, limit } => Request::ReportList { domain, limit },
        ReportCommand::Digest { domain } => Request::ReportDigest { domain },
        ReportCommand::Show { id } => Request::ReportShow { id },
        ReportCommand::Send { day } => Request::ReportSend { day },
        ReportCommand::Sending { switch } => Request::ReportSending { on: switch == Switch::On },
    }
}

fn account(command: AccountCommand) -> Request {
    match command {
        AccountCommand::Quota { address, quota } => Request::AccountQuota { address, quota },
        AccountCommand::AddAddress { account, address } => Request::AccountAddAddress { account, address },
        AccountCommand::RemoveAddress { account, address } => Request::AccountRemoveAddress { account, address },
        AccountCommand::Disable { address } => Request::AccountDisabled { address, disabled: true },
        AccountCommand::Operator { address, switch } => {
            Request::AccountOperator { address, operator: switch == Switch::On }
        }
        AccountCommand::Forward(forward) => forward.request(),
        AccountCommand::Show { address } => Request::AccountShow { address },
        AccountCommand::SignOut { address } => Request::SessionEnd { account: address, key: None },
        AccountCommand::Enable { address } => Request::AccountDisabled { address, disabled: false },
        AccountCommand::Add { .. }
        | AccountCommand::Passwd { .. }
        | AccountCommand::Remove { .. }
        | AccountCommand::List => Request::AccountList,
    }
}

fn smarthost(command: SmarthostCommand) -> Result<Request, String> {
    Ok(match command {
        SmarthostCommand::Set { host, port, tls, user, domain } => {
            let login = match user {
                Some(user) => {
                    let password = ask_password(&format!("Password of {user} at {host}"), false)?;
                    Some((user, password))
                }
                None => None,
            };
            let tls = match tls {
                TlsMode::Implicit => SmarthostTls::Implicit,
                TlsMode::Starttls => SmarthostTls::Starttls,
                TlsMode::None => SmarthostTls::None,
            };
            Request::SmarthostSet { domain, smarthost: Some(Smarthost { host, port, tls, login }) }
        }
        SmarthostCommand::Show => Request::SmarthostList,
        SmarthostCommand::Clear { domain } => Request::SmarthostSet { domain, smarthost: None },
    })
}

/// Asks on the terminal without echo (twice for a new one), or reads a line of standard input. Never an argument: others see those.
pub(crate) fn ask_password(prompt: &str, twice: bool) -> Result<String, String> {
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        let mut line = String::new();
        stdin.lock().read_line(&mut line).map_err(|error| format!("the password can't be read: {error}"))?;
        let password = line.trim_end_matches(['\r', '\n']).to_owned();
        if password.is_empty() {
            return Err("no password came on standard input".to_owned());
        }
        return Ok(password);
    }
    let read = |prompt: String| {
        rpassword::prompt_password(prompt).map_err(|error| format!("the password can't be read: {error}"))
    };
    let password = read(format!("{prompt}: "))?;
    if twice && read("Once more: ".to_owned())? != password {
        return Err("the two passwords are not the same: nothing was changed".to_owned());
    }
    Ok(password)
}

fn confirm_removal(address: &Address, yes: bool) -> Result<(), String> {
    if yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() {
        return Err(format!("removing {address} deletes all its mail: say --yes if you mean it"));
    }
    print!("This deletes {address} and ALL ITS MAIL. Type the address to go on: ");
    let _ = std::io::stdout().flush();
    let mut line = String::new();
    stdin.lock().read_line(&mut line).map_err(|error| error.to_string())?;
    if line.trim().eq_ignore_ascii_case(&address.to_string()) { Ok(()) } else { Err("nothing was removed".to_owned()) }
}
