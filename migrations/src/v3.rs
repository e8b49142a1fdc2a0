//! Version 3: people at the web. Who governs the server, who is signed in, the passwords of single devices, and where
//! mail is sent on to.

use redb::{TableDefinition, WriteTransaction};

type Bytes = &'static [u8];

/// Account → it may govern the server.
pub const OPERATORS: TableDefinition<'static, u64, ()> = TableDefinition::new("operators");
/// Hash of a session's token → who is signed in, and since when.
pub const SESSIONS: TableDefinition<'static, Bytes, Bytes> = TableDefinition::new("sessions");
/// (account, number) → the password of one of its devices.
pub const APP_PASSWORDS: TableDefinition<'static, (u64, u64), Bytes> = TableDefinition::new("app_passwords");
/// (account, number) → when and from where that password was used last.
pub const APP_PASSWORD_USES: TableDefinition<'static, (u64, u64), Bytes> = TableDefinition::new("app_password_uses");
/// Account → where it has its mail sent on to.
pub const FORWARDINGS: TableDefinition<'static, u64, Bytes> = TableDefinition::new("forwardings");

/// Makes the tables.
pub(crate) fn run(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(OPERATORS)?;
    transaction.open_table(SESSIONS)?;
    transaction.open_table(APP_PASSWORDS)?;
    transaction.open_table(APP_PASSWORD_USES)?;
    transaction.open_table(FORWARDINGS)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use redb::{Database, ReadableDatabase as _, ReadableTableMetadata as _};

    use crate::{climb, v1, v2};

    use super::*;

    #[test]
    fn a_store_of_version_2_keeps_what_it_has_and_gets_the_new_tables() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::create(folder.path().join("store.redb")).unwrap();
        let steps = crate::STEPS;
        climb(&database, &steps[..2], |_| panic!("a new store has nothing to copy")).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(v1::ACCOUNTS).unwrap().insert(4, b"an account".as_slice()).unwrap();
        transaction.open_table(v2::DKIM_KEYS).unwrap().insert(("home.test", "s"), b"a key".as_slice()).unwrap();
        transaction.commit().unwrap();

        let mut copied = None;
        climb(&database, &steps[..3], |version| {
            copied = Some(version);
            Ok(())
        })
        .unwrap();
        assert_eq!(copied, Some(2));
        let read = database.begin_read().unwrap();
        assert_eq!(read.open_table(v1::ACCOUNTS).unwrap().get(4).unwrap().unwrap().value(), b"an account");
        let keys = read.open_table(v2::DKIM_KEYS).unwrap();
        assert_eq!(keys.get(("home.test", "s")).unwrap().unwrap().value(), b"a key");
        assert!(read.open_table(OPERATORS).unwrap().is_empty().unwrap());
        assert!(read.open_table(SESSIONS).unwrap().is_empty().unwrap());
        assert!(read.open_table(APP_PASSWORDS).unwrap().is_empty().unwrap());
        assert!(read.open_table(APP_PASSWORD_USES).unwrap().is_empty().unwrap());
        assert!(read.open_table(FORWARDINGS).unwrap().is_empty().unwrap());
    }
}
