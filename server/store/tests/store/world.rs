//! A store in a folder of its own with a domain, and letters to put into it.

use std::path::PathBuf;

use mailstead_message::{Address, Domain, TraceId};
use mailstead_store::*;
use tempfile::TempDir;

pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) options: Options,
    folder: TempDir,
}

pub(crate) fn options() -> Options {
    Options { password_cost: PasswordCost::Light, ..Options::default() }
}

pub(crate) fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

pub(crate) fn trace(number: u32) -> TraceId {
    TraceId::new(1_700_000_000, number)
}

impl World {
    pub(crate) async fn new(options: Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("data"), options.clone()).unwrap();
        store.add_domain(Domain::parse("home.test").unwrap()).await.unwrap();
        Self { store, options, folder }
    }

    /// A world with alice@home.test.
    pub(crate) async fn with_alice() -> (Self, AccountId) {
        Self::with_alice_and(options()).await
    }

    pub(crate) async fn with_alice_and(options: Options) -> (Self, AccountId) {
        let world = Self::new(options).await;
        let alice = world.account("alice@home.test").await;
        (world, alice)
    }

    pub(crate) async fn account(&self, text: &str) -> AccountId {
        self.store.add_account(address(text), "secret", None).await.unwrap()
    }

    pub(crate) fn folder(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Closes the store, does something to its folder, and opens it again.
    pub(crate) fn reopened(self, meanwhile: impl FnOnce(&std::path::Path)) -> Self {
        let Self { store, options, folder } = self;
        drop(store);
        meanwhile(&folder.path().join("data"));
        let store = Store::open(&folder.path().join("data"), options.clone()).unwrap();
        Self { store, options, folder }
    }

    pub(crate) fn mailbox(&self, account: AccountId, name: &str) -> Mailbox {
        self.store.snapshot().unwrap().mailbox_by_name(account, name).unwrap().expect("the mailbox is there")
    }

    pub(crate) fn message(&self, mailbox: MailboxId, uid: u32) -> Message {
        self.store.snapshot().unwrap().message(mailbox, Uid(uid)).unwrap().expect("the message is there")
    }

    pub(crate) fn uids(&self, mailbox: MailboxId) -> Vec<u32> {
        self.store.snapshot().unwrap().uids(mailbox).unwrap().into_iter().map(|uid| uid.0).collect()
    }

    pub(crate) fn used(&self, account: AccountId) -> u64 {
        self.store.account(account).unwrap().unwrap().used
    }

    pub(crate) fn bytes(&self, mailbox: MailboxId, uid: u32) -> Result<Vec<u8>, StoreError> {
        self.store.open_message(mailbox, Uid(uid))?.read_all()
    }

    pub(crate) async fn append(&self, mailbox: MailboxId, bytes: &[u8]) -> Uid {
        let (_, uids) = self.store.append(mailbox, vec![append(bytes)]).await.unwrap();
        uids[0]
    }

    pub(crate) fn pack_bytes(&self) -> u64 {
        let packs = std::fs::read_dir(self.folder().join("packs")).unwrap();
        packs.map(|entry| entry.unwrap().metadata().unwrap().len()).sum()
    }

    pub(crate) fn packs(&self) -> usize {
        std::fs::read_dir(self.folder().join("packs")).unwrap().count()
    }
}

pub(crate) fn letter(number: usize) -> Vec<u8> {
    format!("From: bob@world.test\r\nSubject: letter {number}\r\n\r\nHello {number}\r\n").into_bytes()
}

/// A letter that does not compress, of about that size.
pub(crate) fn noise(number: usize, len: usize) -> Vec<u8> {
    let mut bytes = letter(number);
    let mut state = 0x9e37_79b9_7f4a_7c15_u64 ^ (number as u64);
    while bytes.len() < len {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        bytes.extend_from_slice(&state.to_be_bytes()[..4]);
    }
    bytes
}

pub(crate) fn append(bytes: &[u8]) -> Append {
    Append { message: Prepared::from_bytes(bytes).unwrap(), flags: FlagSet::default(), internal_date: Timestamp(1_000) }
}

pub(crate) fn delivery(account: AccountId) -> Delivery {
    Delivery {
        account,
        into: Into::Inbox,
        prefix: b"Return-Path: <bob@world.test>\r\n".to_vec(),
        flags: FlagSet::default(),
    }
}

pub(crate) fn acceptance(bytes: &[u8], deliveries: Vec<Delivery>) -> Acceptance {
    Acceptance {
        message: Prepared::from_bytes(bytes).unwrap(),
        received: Timestamp(2_000),
        deliveries,
        queue: Vec::new(),
        report: None,
        trace: trace(1),
        story: Vec::new(),
    }
}

pub(crate) fn flags(system: Flags, keywords: &[&str]) -> FlagSet {
    FlagSet { system, keywords: keywords.iter().map(|keyword| (*keyword).to_owned()).collect() }
}

pub(crate) fn uid_list(numbers: &[u32]) -> Vec<Uid> {
    numbers.iter().copied().map(Uid).collect()
}
