//! Which certificates an appliance shows, and the store as the shelf they are kept on.

use std::sync::Arc;

use mailstead_net::acme::{Fallback, Keeper, Settings, Shelf};
use mailstead_net::certificates::files::read_roots;
use mailstead_net::dns::Dns;
use mailstead_net::{BoxFuture, Certificates};
use mailstead_store::Store;
use mailstead_web::names;

use crate::appliance::own_addresses;
use crate::config::Config;

/// The certificates of an appliance and who looks after them, by its configuration.
///
/// # Errors
/// A sentence that names the key whose files can't be used.
pub(crate) fn prepare(config: &Config, store: &Store, dns: Arc<dyn Dns>) -> Result<(Certificates, Keeper), String> {
    let (certificates, fallback) = match &config.tls {
        Some(files) => (Certificates::from_pem_files(&files.certificate, &files.key), Fallback::Files),
        None => {
            let made = Certificates::self_signed(&config.data, std::slice::from_ref(&config.hostname));
            (made, Fallback::SelfSigned)
        }
    };
    let certificates = certificates.map_err(|error| format!("tls: {error}"))?;
    let settings = acme(config)?;
    if fallback == Fallback::SelfSigned && settings.is_none() {
        tracing::warn!(
            "no certificate is configured: a self-signed one is shown, and mail programs will warn about it. \
             Set `enabled = true` under [acme], or name PEM files under [tls]"
        );
    }
    let keeper = keeper(config, store, dns, certificates.clone(), fallback, settings)?;
    Ok((certificates, keeper))
}

/// Looks after certificates that are there already.
///
/// # Errors
/// A sentence when the settings can't be used.
pub(crate) fn keeper(
    config: &Config,
    store: &Store,
    dns: Arc<dyn Dns>,
    certificates: Certificates,
    fallback: Fallback,
    settings: Option<Settings>,
) -> Result<Keeper, String> {
    let shelf = Arc::new(StoreShelf { store: store.clone(), hostname: config.hostname.clone() });
    Keeper::new(&config.hostname, fallback, certificates, dns, shelf, settings).map_err(|error| error.to_string())
}

/// How certificates are asked for; `None` when they are not.
///
/// # Errors
/// A sentence when the root can't be read.
pub(crate) fn acme(config: &Config) -> Result<Option<Settings>, String> {
    let acme = &config.acme;
    if !acme.enabled {
        return Ok(None);
    }
    let roots = match acme.root.as_os_str().is_empty() {
        true => Vec::new(),
        false => read_roots(&acme.root).map_err(|error| format!("acme.root: {error}"))?,
    };
    Ok(Some(Settings {
        directory: acme.directory.clone(),
        contact: Some(acme.contact.clone()).filter(|contact| !contact.is_empty()),
        roots,
        own_addresses: own_addresses(config),
        https: !config.listen.https.is_empty(),
        http: !config.listen.http.is_empty(),
    }))
}

/// The store, as a shelf.
struct StoreShelf {
    store: Store,
    hostname: String,
}

impl Shelf for StoreShelf {
    fn names(&self) -> Result<Vec<String>, String> {
        names::ours(&self.hostname, &self.store).map_err(|error| error.to_string())
    }

    fn load(&self, key: &str) -> Result<Option<Vec<u8>>, String> {
        self.store.kept_certificate(key).map_err(|error| error.to_string())
    }

    fn save(&self, key: String, bytes: Vec<u8>) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move { self.store.keep_certificate(key, bytes).await.map_err(|error| error.to_string()) })
    }

    fn list(&self, beginning: &str) -> Result<Vec<(String, Vec<u8>)>, String> {
        self.store.kept_certificates(beginning).map_err(|error| error.to_string())
    }

    fn forget(&self, keys: Vec<String>) -> BoxFuture<'_, Result<(), String>> {
        Box::pin(async move { self.store.forget_certificates(keys).await.map_err(|error| error.to_string()) })
    }
}
