//! `mailstead`: a whole mail server for one household in one binary.
//!
//! The composition root: the only place where all rooms meet. [`appliance`] puts them together, [`serve`] runs one for
//! an operator, [`setup`] makes one, [`backup`] keeps what one has, [`demo`] runs two in a tiny internet of their own, [`commands`] asks a running or a
//! stopped one, [`names`] asks the DNS as the server would, [`doctor`] looks at the host. [`supervisor`] is what systemd
//! hears of one, [`ownership`] what root leaves behind. [`certificates`] lends the store to whoever looks after
//! certificates.

mod appliance;
mod backup;
mod certificates;
mod cli;
mod commands;
mod config;
mod demo;
mod doctor;
mod hostname;
mod logging;
mod names;
mod ownership;
mod print;
mod serve;
mod setup;
mod supervisor;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;

use cli::{Backup, Cli, Command, ConfigCommand};
use config::{Config, Log};

fn main() -> ExitCode {
    let cli = Cli::parse();
    match run(cli) {
        Ok(true) => ExitCode::SUCCESS,
        // What is wrong has been printed.
        Ok(false) => ExitCode::FAILURE,
        Err(sentence) => {
            eprintln!("mailstead: {sentence}");
            ExitCode::FAILURE
        }
    }
}

/// True unless what was looked at is bad.
fn run(cli: Cli) -> Result<bool, String> {
    mailstead_net::tls::install_crypto();
    if matches!(cli.command, Command::Doctor) {
        let config = load(cli.config.as_deref(), cli.data.clone());
        return runtime()?.block_on(doctor::run(config, cli.data, cli.json));
    }
    carry_out(cli).map(|()| true)
}

fn carry_out(cli: Cli) -> Result<(), String> {
    match cli.command {
        Command::Serve => {
            let config = load(cli.config.as_deref(), cli.data)?;
            logging::start(&config.log)?;
            let data = config.data.clone();
            let ended = runtime()?.block_on(serve::run(config));
            ownership::hand_over(&data);
            ended
        }
        Command::Demo(options) => {
            logging::start(&Log { level: options.log.clone(), ..Log::default() })?;
            runtime()?.block_on(demo::run(options, cli.json))
        }
        Command::Dns(command) => {
            let config = load(cli.config.as_deref(), cli.data)?;
            runtime()?.block_on(names::run(command, &config, cli.json))
        }
        Command::Setup(options) => {
            let config = match (&cli.config, cli.data) {
                (None, Some(data)) => Config::for_host("", data),
                (path, data) => load(path.as_deref(), data)?,
            };
            let data = config.data.clone();
            let done = runtime()?.block_on(setup::run(options, config, cli.json));
            ownership::hand_over(&data);
            done
        }
        Command::Backup(Backup { folder: Some(folder), check: true, .. }) => {
            runtime()?.block_on(backup::check(folder, cli.json))
        }
        Command::Backup(options) => {
            let (data, file) = place(cli.config, cli.data)?;
            let done = runtime()?.block_on(backup::run(options, &data, file, cli.json));
            ownership::hand_over(&data);
            done
        }
        Command::Restore(options) => {
            let (data, _) = place(cli.config, cli.data)?;
            let done = runtime()?.block_on(backup::restore(options, &data, cli.json));
            ownership::hand_over(&data);
            done
        }
        Command::Config(ConfigCommand::Check) => check(cli.config.as_deref(), cli.data, cli.json),
        Command::Config(ConfigCommand::Example) => {
            print::out(include_str!("../mailstead.example.toml"));
            Ok(())
        }
        Command::Config(ConfigCommand::Unit) => {
            print::out(include_str!("../mailstead.service"));
            Ok(())
        }
        command => {
            let (data, hostname) = match (cli.data, &cli.config) {
                (Some(data), None) => (data, None),
                (data, path) => {
                    let config = load(path.as_deref(), data)?;
                    (config.data, Some(config.hostname).filter(|name| !name.is_empty()))
                }
            };
            let done = runtime()?.block_on(commands::run(command, &data, hostname, cli.json));
            ownership::hand_over(&data);
            done
        }
    }
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("the program can't start its threads: {error}"))
}

/// The data folder, and the configuration file where there is one.
fn place(path: Option<PathBuf>, data: Option<PathBuf>) -> Result<(PathBuf, Option<PathBuf>), String> {
    match (path, data) {
        (None, Some(data)) => Ok((data, None)),
        (path, data) => {
            let config = load(path.as_deref(), data)?;
            Ok((config.data, Some(path.unwrap_or_else(|| config::DEFAULT_PATH.into()))))
        }
    }
}

fn load(path: Option<&Path>, data: Option<PathBuf>) -> Result<Config, String> {
    let path = path.unwrap_or(Path::new(config::DEFAULT_PATH));
    let mut config = Config::load(path).map_err(|error| error.to_string())?;
    if let Some(data) = data {
        config.data = data;
    }
    Ok(config)
}

fn check(path: Option<&Path>, data: Option<PathBuf>, json: bool) -> Result<(), String> {
    let config = load(path, data)?;
    if let Some(files) = &config.tls {
        mailstead_net::Certificates::from_pem_files(&files.certificate, &files.key)
            .map_err(|error| format!("tls: {error}"))?;
    }
    certificates::acme(&config)?;
    config.dns.settings()?;
    let shown = if json {
        serde_json::to_string(&config).map_err(|error| error.to_string())?
    } else {
        let in_force = toml::to_string(&config).map_err(|error| error.to_string())?;
        format!("The configuration is right. In force:\n\n{in_force}")
    };
    print::out(&shown);
    Ok(())
}
