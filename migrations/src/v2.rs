//! Version 2: what makes us trusted by the world. Keys, certificates, others' policies, verdicts and reports.

use redb::{TableDefinition, WriteTransaction};

type Bytes = &'static [u8];

/// (domain, selector) → DKIM key.
pub const DKIM_KEYS: TableDefinition<'static, (&'static str, &'static str), Bytes> = TableDefinition::new("dkim_keys");
/// Token → a sender too long for a reverse-path of ours, and when it wrote last.
pub const SENDERS: TableDefinition<'static, &'static str, Bytes> = TableDefinition::new("senders");
/// What ACME wants kept (accounts, certificates, their states), by name.
pub const CERTIFICATES: TableDefinition<'static, &'static str, Bytes> = TableDefinition::new("certificates");
/// Domain → its MTA-STS policy as last fetched.
pub const STS_POLICIES: TableDefinition<'static, &'static str, Bytes> = TableDefinition::new("sts_policies");
/// Trace → what was found out about who sent the letter.
pub const VERDICTS: TableDefinition<'static, u64, Bytes> = TableDefinition::new("verdicts");
/// (day since 1970, policy domain, what happened) → how often: for the TLS reports we owe (RFC 8460).
pub const TLS_TALLIES: TableDefinition<'static, (u32, &'static str, Bytes), u64> = TableDefinition::new("tls_tallies");
/// (day since 1970, policy domain, what was judged) → how often: for the DMARC reports we owe (RFC 7489 7.2).
pub const DMARC_TALLIES: TableDefinition<'static, (u32, &'static str, Bytes), u64> =
    TableDefinition::new("dmarc_tallies");
/// Reports about our domains, by number.
pub const REPORTS: TableDefinition<'static, u64, Bytes> = TableDefinition::new("reports");
/// (domain, begin of the reported period, report) → (who is proved to have sent it, what it says), as hashes: which
/// reports are about a domain.
pub const REPORT_DOMAINS: TableDefinition<'static, (&'static str, i64, u64), (Option<u64>, u128)> =
    TableDefinition::new("report_domains");

/// Makes the tables.
pub(crate) fn run(transaction: &WriteTransaction) -> Result<(), redb::Error> {
    transaction.open_table(DKIM_KEYS)?;
    transaction.open_table(SENDERS)?;
    transaction.open_table(CERTIFICATES)?;
    transaction.open_table(STS_POLICIES)?;
    transaction.open_table(VERDICTS)?;
    transaction.open_table(TLS_TALLIES)?;
    transaction.open_table(DMARC_TALLIES)?;
    transaction.open_table(REPORTS)?;
    transaction.open_table(REPORT_DOMAINS)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use redb::{Database, ReadableDatabase as _, ReadableTableMetadata as _};

    use crate::{climb, v1};

    use super::*;

    #[test]
    fn a_store_of_version_1_keeps_what_it_has_and_gets_the_new_tables() {
        let folder = tempfile::tempdir().unwrap();
        let database = Database::create(folder.path().join("store.redb")).unwrap();
        let steps = crate::STEPS;
        climb(&database, &steps[..1], |_| panic!("a new store has nothing to copy")).unwrap();
        let transaction = database.begin_write().unwrap();
        transaction.open_table(v1::DOMAINS).unwrap().insert("home.test", b"a domain".as_slice()).unwrap();
        transaction.open_table(v1::QUEUE).unwrap().insert(7, b"a letter that waits".as_slice()).unwrap();
        transaction.commit().unwrap();

        let mut copied = None;
        climb(&database, &steps[..2], |version| {
            copied = Some(version);
            Ok(())
        })
        .unwrap();
        assert_eq!(copied, Some(1));
        let read = database.begin_read().unwrap();
        assert_eq!(read.open_table(v1::DOMAINS).unwrap().get("home.test").unwrap().unwrap().value(), b"a domain");
        assert_eq!(read.open_table(v1::QUEUE).unwrap().get(7).unwrap().unwrap().value(), b"a letter that waits");
        assert!(read.open_table(DKIM_KEYS).unwrap().is_empty().unwrap());
        assert!(read.open_table(VERDICTS).unwrap().is_empty().unwrap());
        assert!(read.open_table(REPORT_DOMAINS).unwrap().is_empty().unwrap());
    }
}
