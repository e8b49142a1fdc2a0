//! A store's records, all of them, from one database into another that is empty.

use redb::{
    Key, ReadTransaction, ReadableTable as _, TableDefinition, TableError, TableHandle as _, Value, WriteTransaction,
};

use crate::{META, v1, v2, v3};

/// Copies every table of a store of the current version.
///
/// # Errors
/// Reading or writing fails, or there is a table this does not know: nothing is left out silently.
pub fn copy(from: &ReadTransaction, to: &WriteTransaction) -> Result<(), redb::Error> {
    let mut copied = Vec::new();
    macro_rules! copy_tables {
        ($($table:expr),* $(,)?) => {$(
            copy_table(from, to, $table)?;
            copied.push($table.name().to_owned());
        )*};
    }
    copy_tables![
        META,
        v1::COUNTERS,
        v1::SETTINGS,
        v1::DOMAINS,
        v1::ACCOUNTS,
        v1::ACCOUNT_STATES,
        v1::ADDRESSES,
        v1::ALIASES,
        v1::MAILBOXES,
        v1::MAILBOX_NAMES,
        v1::SUBSCRIPTIONS,
        v1::MESSAGES,
        v1::CHANGES,
        v1::BLOBS,
        v1::SUMMARIES,
        v1::PACKS,
        v1::PACK_BLOBS,
        v1::QUEUE,
        v1::QUEUE_DUE,
        v1::STORIES,
        v1::STORY_ADDRESSES,
        v1::STORY_AGES,
        v2::DKIM_KEYS,
        v2::SENDERS,
        v2::CERTIFICATES,
        v2::STS_POLICIES,
        v2::VERDICTS,
        v2::TLS_TALLIES,
        v2::DMARC_TALLIES,
        v2::REPORTS,
        v2::REPORT_DOMAINS,
        v3::OPERATORS,
        v3::SESSIONS,
        v3::APP_PASSWORDS,
        v3::APP_PASSWORD_USES,
        v3::FORWARDINGS,
    ];
    match from.list_tables()?.find(|table| !copied.iter().any(|name| name == table.name())) {
        Some(unknown) => Err(redb::Error::Corrupted(format!("the table {} is not known", unknown.name()))),
        None => Ok(()),
    }
}

fn copy_table<K: Key + 'static, V: Value + 'static>(
    from: &ReadTransaction,
    to: &WriteTransaction,
    table: TableDefinition<'static, K, V>,
) -> Result<(), redb::Error> {
    let source = match from.open_table(table) {
        Ok(source) => source,
        Err(TableError::TableDoesNotExist(_)) => return Ok(()),
        Err(error) => return Err(error.into()),
    };
    let mut target = to.open_table(table)?;
    for entry in source.iter()? {
        let (key, value) = entry?;
        target.insert(key.value(), value.value())?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use redb::{Database, ReadableDatabase as _};

    use super::*;

    #[test]
    fn every_table_of_a_new_store_is_copied_and_an_unknown_one_is_no_silent_loss() {
        let folder = tempfile::tempdir().unwrap();
        let open = |name: &str| Database::create(folder.path().join(name)).unwrap();
        let (old, new) = (open("old.redb"), open("new.redb"));
        crate::bring_up_to_date(&old, |_| panic!("a new store has nothing to copy")).unwrap();
        let write = old.begin_write().unwrap();
        write.open_table(v1::DOMAINS).unwrap().insert("home.test", b"a domain".as_slice()).unwrap();
        write.commit().unwrap();
        let write = new.begin_write().unwrap();
        copy(&old.begin_read().unwrap(), &write).unwrap();
        write.commit().unwrap();
        let (before, after) = (old.begin_read().unwrap(), new.begin_read().unwrap());
        let names =
            |read: &ReadTransaction| read.list_tables().unwrap().map(|t| t.name().to_owned()).collect::<Vec<_>>();
        assert_eq!(names(&before), names(&after));
        assert_eq!(after.open_table(v1::DOMAINS).unwrap().get("home.test").unwrap().unwrap().value(), b"a domain");
        assert_eq!(crate::version(&new).unwrap(), crate::CURRENT);

        let write = old.begin_write().unwrap();
        write.open_table(TableDefinition::<&str, u32>::new("news")).unwrap().insert("a", 1).unwrap();
        write.commit().unwrap();
        let write = new.begin_write().unwrap();
        let refused = copy(&old.begin_read().unwrap(), &write).unwrap_err();
        assert!(refused.to_string().contains("the table news is not known"), "{refused}");
    }
}
