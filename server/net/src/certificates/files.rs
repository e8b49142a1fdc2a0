//! Certificates from PEM files, read again when they change.

use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use super::Certificates;
use crate::tls::TlsError;

/// How often the files are looked at. A look costs two `stat`s.
const LOOK_EVERY: Duration = Duration::from_secs(5);

/// A certificate with its chain, and its key, as files.
#[derive(Debug, Clone)]
pub struct Files {
    /// The certificate and its chain.
    pub chain: PathBuf,
    /// The private key.
    pub key: PathBuf,
}

/// What tells one state of the files from another: device, inode, size and time of change of each, if it is there.
type Look = [Option<(u64, u64, u64, i64, i64)>; 2];

/// Files that are looked at again and again.
#[derive(Debug)]
pub struct Watched {
    files: Files,
    certificates: Certificates,
    /// As they were when they were read last.
    read: Look,
    trouble: Trouble,
}

/// How it stands with files that can't be used.
#[derive(Debug, PartialEq, Eq)]
enum Trouble {
    None,
    /// Read in the middle of a change, perhaps: read once more before anybody is told.
    Fresh,
    Told,
}

impl Watched {
    /// Watches files that `certificates` shows already.
    pub fn new(files: Files, certificates: Certificates) -> Self {
        let read = files.look();
        Self { files, certificates, read, trouble: Trouble::None }
    }

    /// Looks at them every few seconds, and shows them when they changed.
    pub async fn watch(&mut self) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            self.look();
        }
    }

    /// Shows them as they are now; the old certificate stays when they can't be used.
    pub fn read_now(&mut self) {
        self.read = self.files.look();
        match self.reload() {
            Ok(()) => tracing::info!("the certificate files were read again"),
            Err(error) => self.complain(&error),
        }
    }

    fn look(&mut self) {
        let look = self.files.look();
        if look == self.read && self.trouble != Trouble::Fresh {
            return;
        }
        let again = look == self.read;
        self.read = look;
        match self.reload() {
            Ok(()) => tracing::info!(file = %self.files.chain.display(), "the certificate files changed and are shown"),
            Err(_) if !again => self.trouble = Trouble::Fresh,
            Err(error) => self.complain(&error),
        }
    }

    fn reload(&mut self) -> Result<(), TlsError> {
        let (chain, key) = read(&self.files.chain, &self.files.key)?;
        self.certificates.replace(chain, key)?;
        self.trouble = Trouble::None;
        Ok(())
    }

    fn complain(&mut self, error: &TlsError) {
        self.trouble = Trouble::Told;
        tracing::error!(%error, "the certificate files can't be used: the old certificate stays until they can");
    }
}

impl Files {
    fn look(&self) -> Look {
        [&self.chain, &self.key].map(|path| {
            let seen = std::fs::metadata(path).ok()?;
            Some((seen.dev(), seen.ino(), seen.size(), seen.mtime(), seen.mtime_nsec()))
        })
    }
}

/// Reads the certificates of authorities.
///
/// # Errors
/// The file can't be read or holds none; the sentence names it.
pub fn read_roots(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    read_certificates(path)
}

type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

/// Reads a certificate with its chain, and its key.
pub(super) fn read(chain: &Path, key: &Path) -> Result<Pair, TlsError> {
    let certificates = read_certificates(chain)?;
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| wrong(key, &error))?;
    Ok((certificates, key))
}

fn read_certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let read = CertificateDer::pem_file_iter(path).and_then(Iterator::collect);
    let certificates: Vec<_> = read.map_err(|error| wrong(path, &error))?;
    if certificates.is_empty() {
        return Err(wrong(path, &"there is no certificate in this file"));
    }
    Ok(certificates)
}

fn wrong(path: &Path, what: &dyn std::fmt::Display) -> TlsError {
    TlsError(format!("{}: {what}", path.display()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    fn made(name: &str) -> (String, String) {
        let made = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        (made.cert.pem(), made.signing_key.serialize_pem())
    }

    fn shown(certificates: &Certificates) -> CertificateDer<'static> {
        certificates.fallback().first().unwrap().clone()
    }

    #[test]
    fn a_half_changed_pair_leaves_the_old_one_and_is_told_of_only_when_it_stays_so() {
        let folder = tempfile::tempdir().unwrap();
        let files = Files { chain: folder.path().join("cert.pem"), key: folder.path().join("key.pem") };
        let (first, second) = (made("a.test"), made("b.test"));
        std::fs::write(&files.chain, &first.0).unwrap();
        std::fs::write(&files.key, &first.1).unwrap();
        let certificates = Certificates::from_pem_files(&files.chain, &files.key).unwrap();
        let old = shown(&certificates);
        let mut watched = Watched::new(files.clone(), certificates.clone());
        watched.look();
        assert_eq!((shown(&certificates), &watched.trouble), (old.clone(), &Trouble::None));

        std::fs::write(&files.chain, &second.0).unwrap();
        watched.look();
        assert_eq!((shown(&certificates), &watched.trouble), (old.clone(), &Trouble::Fresh));
        watched.look();
        assert_eq!((shown(&certificates), &watched.trouble), (old.clone(), &Trouble::Told));
        watched.look();
        assert_eq!(watched.trouble, Trouble::Told);

        std::fs::write(&files.key, &second.1).unwrap();
        watched.look();
        assert_ne!(shown(&certificates), old);
        assert_eq!(watched.trouble, Trouble::None);

        std::fs::remove_file(&files.chain).unwrap();
        watched.look();
        watched.look();
        assert_eq!(watched.trouble, Trouble::Told);
        assert_ne!(shown(&certificates), old, "a missing file leaves what was shown last");
    }
}
