//! The store: domains with their keys and certificates, accounts, mailboxes, messages, the queue, stories with what was
//! found out about each letter's sender, others' policies, reports in both directions, and settings.
//!
//! The only room that knows redb. Everything small lives in one redb file; bodies live in append-only packs
//! beside it. One writer thread takes every waiting change, syncs the pack, applies all changes in one write
//! transaction, commits it durably, and only then answers: what a caller was told is on disk.
//!
//! **Invariants:** no network here; no write transaction crosses an await; a change validates before it
//! mutates; reads never wait for writers; nothing outside this crate names redb.
//!
//! Start reading at [`Store`].

mod app_passwords;
pub mod backup;
mod blob;
mod certificates;
mod change;
mod chores;
mod directory;
mod engine;
mod error;
mod forwardings;
mod ids;
mod jobs;
mod keys;
mod mailbox;
mod operators;
mod pack;
mod password;
mod policies;
mod queue;
mod record;
mod reports;
mod route;
mod scram;
mod senders;
mod sessions;
mod setup;
mod snapshot;
mod story;
mod tallies;
mod verdicts;
mod watchers;

pub use app_passwords::*;
pub use blob::Prepared;
pub use directory::*;
pub use error::*;
pub use forwardings::Forwarding;
pub use ids::*;
pub use keys::*;
pub use mailbox::*;
pub use policies::*;
pub use queue::*;
pub use reports::*;
pub use sessions::*;
pub use setup::SETUP_LINK_LIFE;
pub use snapshot::{MessageReader, Snapshot};
pub use story::*;
pub use tallies::*;
pub use verdicts::*;

use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _};
use std::path::Path;
use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, mpsc};
use std::thread::JoinHandle;

use mailstead_migrations::{MigrationError, v1};
use redb::{ReadableDatabase as _, ReadableTable as _};

use engine::{Job, Shared};
use pack::Packs;
use password::Passwords;
use tokio::sync::watch;

/// An open store. Cheap to clone; the last clone closes it.
///
/// Methods that change something are `async`, answer only after the commit is on disk, and may be called
/// from any tokio task; each has the same guarantee when driven by `block_on` outside a runtime.
/// Methods that read are plain calls on a snapshot of their own; several reads that must agree go through
/// [`Store::snapshot`].
#[derive(Clone)]
pub struct Store {
    inner: Arc<Inner>,
}

struct Inner {
    shared: Arc<Shared>,
    passwords: Passwords,
    /// `None` only while it is closed.
    jobs: Option<mpsc::Sender<Box<dyn Job>>>,
    writer: Option<JoinHandle<()>>,
    /// Nothing is ever sent: its other end goes with the writer thread, however that ends.
    writing: watch::Receiver<()>,
    /// Changes nobody waits for that are not yet written.
    forgotten: Arc<AtomicUsize>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The writer answers what it was given, then ends.
        self.jobs.take();
        if let Some(writer) = self.writer.take()
            && writer.join().is_err()
        {
            tracing::error!("the store's writer had failed");
        }
    }
}

/// How a store is opened.
#[derive(Debug, Clone)]
pub struct Options {
    /// Size at which a pack is sealed, in bytes.
    pub pack_size: u64,
    /// Cost of password hashing: tests and the demo choose [`PasswordCost::Light`].
    pub password_cost: PasswordCost,
    /// Memory redb may use for its page cache, in bytes.
    pub cache_bytes: usize,
    /// Days a story is kept.
    pub story_days: u32,
}

/// Argon2id parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordCost {
    /// OWASP's recommendation (19 MiB, 2 passes).
    Standard,
    /// Fast, for throw-away stores only.
    Light,
}

impl Default for Options {
    fn default() -> Self {
        Self { pack_size: 64 << 20, password_cost: PasswordCost::Standard, cache_bytes: 16 << 20, story_days: 30 }
    }
}

impl Store {
    /// Opens the store in a folder, making folder (0700) and store where there is none.
    ///
    /// # Errors
    /// [`StoreError::InUse`] when another process has it, [`StoreError::Newer`] when a newer version wrote it.
    pub fn open(folder: &Path, options: Options) -> Result<Self, StoreError> {
        if !folder.is_dir() {
            std::fs::DirBuilder::new().mode(0o700).recursive(true).create(folder)?;
        }
        let packs = folder.join("packs");
        refuse_packs_alone(folder, &packs)?;
        let database = engine::open_database(folder, &options)?;
        std::fs::set_permissions(folder.join("store.redb"), std::fs::Permissions::from_mode(0o600))?;
        migrate(folder, &database)?;
        keys::ensure_secret(&database)?;
        pack::sync_folder(folder)?;
        let packs = Packs::open(packs)?;
        clean(&packs, &database)?;
        backup::clear_abandoned(folder);
        let passwords = Passwords::new(options.password_cost)?;
        let shared = Arc::new(Shared::new(folder.to_owned(), options, packs, database));
        let (jobs, waiting) = mpsc::channel();
        let (alive, writing) = watch::channel(());
        let theirs = Arc::clone(&shared);
        let writer = std::thread::Builder::new().name("store-writer".to_owned()).spawn(move || {
            let _alive = alive;
            engine::run(&theirs, &waiting);
        })?;
        let (jobs, writer, forgotten) = (Some(jobs), Some(writer), Arc::default());
        Ok(Self { inner: Arc::new(Inner { shared, passwords, jobs, writer, writing, forgotten }) })
    }

    /// Resolves when the writer thread has failed: from then on every change is answered with [`StoreError::Closed`],
    /// and only opening the store anew helps. Never resolves while the store is well.
    pub async fn writer_failed(&self) {
        let mut writing = self.inner.writing.clone();
        while writing.changed().await.is_ok() {}
    }

    /// A consistent view for several reads. Keep it short: never across an await on a socket.
    pub fn snapshot(&self) -> Result<Snapshot, StoreError> {
        Ok(Snapshot::new(self.shared().read()?))
    }

    /// How many commits there were: a number that changes whenever anything does.
    ///
    /// # Errors
    /// The store can't be read.
    pub fn commits(&self) -> Result<u64, StoreError> {
        let counters = self.shared().read()?.open_table(v1::COUNTERS)?;
        Ok(counters.get(engine::COMMITS)?.map_or(0, |value| value.value()))
    }

    /// The folder it is in.
    pub fn folder(&self) -> &Path {
        &self.shared().folder
    }

    fn shared(&self) -> &Arc<Shared> {
        &self.inner.shared
    }

    fn passwords(&self) -> &Passwords {
        &self.inner.passwords
    }

    fn forgotten(&self) -> &Arc<AtomicUsize> {
        &self.inner.forgotten
    }

    fn submit(&self, job: Box<dyn Job>) -> Result<(), StoreError> {
        self.inner.jobs.as_ref().ok_or(StoreError::Closed)?.send(job).map_err(|_| StoreError::Closed)
    }
}

/// Makes no new store beside the letters of an old one: what no record names would be taken for garbage.
fn refuse_packs_alone(folder: &Path, packs: &Path) -> Result<(), StoreError> {
    if folder.join("store.redb").exists() || !packs.is_dir() || std::fs::read_dir(packs)?.next().is_none() {
        return Ok(());
    }
    let packs = packs.display();
    Err(StoreError::Damaged(format!(
        "{packs} has letters, but store.redb beside it is missing: put it back from a backup"
    )))
}

/// Brings an older store up to date, after a copy of it was made beside it.
fn migrate(folder: &Path, database: &redb::Database) -> Result<(), StoreError> {
    let safety_copy = |version: u32| {
        let copy = folder.join(format!("store.before-schema-{}.redb", version + 1));
        tracing::info!(copy = %copy.display(), "the store is copied before it is brought up to date");
        std::fs::copy(folder.join("store.redb"), &copy)?;
        std::fs::File::open(&copy)?.sync_all()
    };
    match mailstead_migrations::bring_up_to_date(database, safety_copy) {
        Ok(_) => Ok(()),
        Err(MigrationError::Newer { found, known }) => Err(StoreError::Newer { found, known }),
        Err(MigrationError::SafetyCopy(error)) => Err(error.into()),
        Err(MigrationError::Database(error)) => Err(error.into()),
    }
}

/// Removes what a crash left behind in the packs: files no record names, and a tail no entry names.
fn clean(packs: &Packs, database: &redb::Database) -> Result<(), StoreError> {
    let transaction = database.begin_read()?;
    let table = transaction.open_table(v1::PACKS)?;
    let given = transaction.open_table(v1::COUNTERS)?.get("pack")?.map_or(0, |value| value.value());
    for pack in packs.numbers()? {
        match table.get(pack)?.map(|state| state.value().0) {
            Some(end) => packs.cut(pack, end)?,
            None if u64::from(pack) <= given => packs.remove(pack)?,
            // Made just before a crash, or this store is older than its packs: no letter is thrown away for that.
            None => packs.set_aside(pack)?,
        }
    }
    for entry in table.iter()? {
        let (number, state) = entry?;
        let (pack, end) = (number.value(), state.value().0);
        match packs.len(pack) {
            Ok(len) if len >= end => {}
            // The other messages must stay readable; those in it are found damaged one by one.
            Ok(len) => tracing::error!(pack, "pack {pack} is damaged: it has {len} of {end} bytes"),
            Err(error) => tracing::error!(pack, "pack {pack} can't be read: {error}"),
        }
    }
    Ok(())
}

/// The system's clock.
fn now() -> Timestamp {
    Timestamp(jiff::Timestamp::now().as_second())
}
