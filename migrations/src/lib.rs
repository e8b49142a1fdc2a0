//! The store's schema, version by version.
//!
//! Each step is a numbered module that brings a store of the version before to its own. [`bring_up_to_date`] runs the
//! steps a store lacks, all in one transaction, after its caller made a safety copy.
//!
//! **Invariant:** a step names tables and reads records by definitions of its own, never by those of the store's
//! current code: what it does to an old store must not change when the store changes.
//!
//! Start reading at [`bring_up_to_date`], then [`v1`].

mod copy;
pub mod v1;
pub mod v2;
pub mod v3;

pub use copy::copy;
use redb::{Database, ReadableDatabase as _, TableDefinition, TableError, WriteTransaction};

/// The version this program writes.
pub const CURRENT: u32 = 3;

/// Facts about the store itself; the schema version is under [`VERSION_KEY`], as a little-endian `u32`.
const META: TableDefinition<'static, &'static str, &'static [u8]> = TableDefinition::new("meta");
const VERSION_KEY: &str = "schema";

/// Why a store could not be brought up to date.
#[derive(Debug, thiserror::Error)]
pub enum MigrationError {
    /// A newer program wrote it.
    #[error("schema version {found} is newer than {known}")]
    Newer {
        /// Version in the file.
        found: u32,
        /// Newest version this program knows.
        known: u32,
    },
    /// The safety copy could not be made.
    #[error("no safety copy could be made: {0}")]
    SafetyCopy(std::io::Error),
    /// The store could not be read or written.
    #[error(transparent)]
    Database(#[from] redb::Error),
}

/// One step: brings a store of the version before to its version.
#[derive(Clone, Copy)]
struct Step {
    to: u32,
    run: fn(&WriteTransaction) -> Result<(), redb::Error>,
}

const STEPS: &[Step] = &[Step { to: 1, run: v1::run }, Step { to: 2, run: v2::run }, Step { to: 3, run: v3::run }];

/// Brings a store to [`CURRENT`]: a new one is made, an older one is changed step by step in one transaction after
/// `safety_copy` was called with the version it has. Gives the version found, 0 for a new store.
///
/// # Errors
/// [`MigrationError::Newer`] leaves the store as it is, and so does every other error.
pub fn bring_up_to_date(
    database: &Database,
    safety_copy: impl FnOnce(u32) -> std::io::Result<()>,
) -> Result<u32, MigrationError> {
    climb(database, STEPS, safety_copy)
}

fn climb(
    database: &Database,
    steps: &[Step],
    safety_copy: impl FnOnce(u32) -> std::io::Result<()>,
) -> Result<u32, MigrationError> {
    let known = steps.iter().map(|step| step.to).max().unwrap_or(0);
    let found = version(database)?;
    if found > known {
        return Err(MigrationError::Newer { found, known });
    }
    if found == known {
        return Ok(found);
    }
    if found > 0 {
        safety_copy(found).map_err(MigrationError::SafetyCopy)?;
    }
    let mut transaction = database.begin_write().map_err(redb::Error::from)?;
    transaction.set_quick_repair(true);
    for step in steps.iter().filter(|step| step.to > found) {
        (step.run)(&transaction)?;
        tracing::info!(version = step.to, "the store's schema is brought up to date");
    }
    {
        let mut meta = transaction.open_table(META).map_err(redb::Error::from)?;
        meta.insert(VERSION_KEY, known.to_le_bytes().as_slice()).map_err(redb::Error::from)?;
    }
    transaction.commit().map_err(redb::Error::from)?;
    Ok(found)
}

/// The version of a store; 0 for one that was just made.
fn version(database: &Database) -> Result<u32, redb::Error> {
    let meta = match database.begin_read()?.open_table(META) {
        Ok(meta) => meta,
        Err(TableError::TableDoesNotExist(_)) => return Ok(0),
        Err(error) => return Err(error.into()),
    };
    let Some(value) = meta.get(VERSION_KEY)? else { return Ok(0) };
    match <[u8; 4]>::try_from(value.value()) {
        Ok(bytes) => Ok(u32::from_le_bytes(bytes)),
        Err(_) => Err(redb::Error::Corrupted("the schema version is not a number".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use redb::ReadableTable as _;

    use super::*;

    const NOTES: TableDefinition<'static, &'static str, u32> = TableDefinition::new("notes");

    fn first(transaction: &WriteTransaction) -> Result<(), redb::Error> {
        transaction.open_table(NOTES)?.insert("a", 1)?;
        Ok(())
    }

    fn second(transaction: &WriteTransaction) -> Result<(), redb::Error> {
        let mut notes = transaction.open_table(NOTES)?;
        let old = notes.get("a")?.map_or(0, |value| value.value());
        notes.insert("a", old + 10)?;
        Ok(())
    }

    fn failing(transaction: &WriteTransaction) -> Result<(), redb::Error> {
        transaction.open_table(NOTES)?.insert("a", 99)?;
        Err(redb::Error::Corrupted("no".to_owned()))
    }

    fn a(database: &Database) -> u32 {
        let notes = database.begin_read().unwrap().open_table(NOTES).unwrap();
        notes.get("a").unwrap().unwrap().value()
    }

    fn no_copy(_: u32) -> std::io::Result<()> {
        panic!("a new store has nothing to copy")
    }

    #[test]
    fn a_store_of_the_version_before_is_copied_and_brought_up_to_date_once() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::create(folder.path().join("store.redb")).unwrap();
        let old = [Step { to: 1, run: first }];
        let new = [Step { to: 1, run: first }, Step { to: 2, run: second }];
        assert_eq!(climb(&database, &old, no_copy).unwrap(), 0);
        let mut copied = None;
        let copy = |version| {
            copied = Some(version);
            Ok(())
        };
        assert_eq!(climb(&database, &new, copy).unwrap(), 1);
        assert_eq!((copied, a(&database)), (Some(1), 11));
        assert_eq!(climb(&database, &new, no_copy).unwrap(), 2);
        assert_eq!(a(&database), 11);
    }

    #[test]
    fn a_newer_store_is_refused_and_untouched() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::create(folder.path().join("store.redb")).unwrap();
        let new = [Step { to: 1, run: first }, Step { to: 2, run: second }];
        climb(&database, &new, no_copy).unwrap();
        let refused = climb(&database, &new[..1], no_copy);
        assert!(matches!(refused, Err(MigrationError::Newer { found: 2, known: 1 })), "{refused:?}");
        assert_eq!(a(&database), 11);
    }

    #[test]
    fn a_step_that_fails_or_a_copy_that_fails_leaves_the_old_store() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::create(folder.path().join("store.redb")).unwrap();
        let old = [Step { to: 1, run: first }];
        let new = [Step { to: 1, run: first }, Step { to: 2, run: failing }];
        climb(&database, &old, no_copy).unwrap();
        assert!(matches!(climb(&database, &new, |_| Ok(())), Err(MigrationError::Database(_))));
        let full = |_| Err(std::io::ErrorKind::StorageFull.into());
        assert!(matches!(climb(&database, &new, full), Err(MigrationError::SafetyCopy(_))));
        assert_eq!((version(&database).unwrap(), a(&database)), (1, 1));
    }

    #[test]
    fn the_steps_lead_to_the_current_version_one_by_one() {
        let versions: Vec<u32> = STEPS.iter().map(|step| step.to).collect();
        assert_eq!(versions, (1..=CURRENT).collect::<Vec<_>>());
    }
}
