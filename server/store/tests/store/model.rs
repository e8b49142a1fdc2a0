//! Random work on mailboxes, compared with a model that fits on a page; then the disk's own books are audited.

use std::collections::{BTreeMap, HashMap};

use mailstead_migrations::v1;
use mailstead_store::*;
use proptest::prelude::*;
use redb::{ReadableDatabase as _, ReadableTable as _};

use crate::world::{World, acceptance, append, delivery, flags, noise, options, uid_list};

const MAILBOXES: [&str; 3] = ["INBOX", "Archive", "Trash"];
const SIZE: usize = 3_000;

#[derive(Debug, Clone)]
enum Step {
    Accept { letter: usize },
    Append { mailbox: usize, letters: Vec<usize> },
    Copy { from: usize, to: usize, uids: Vec<u32> },
    Move { from: usize, to: usize, uids: Vec<u32> },
    Flag { mailbox: usize, uids: Vec<u32>, flag: u8, add: bool },
    Expunge { mailbox: usize, uids: Option<Vec<u32>> },
    Remove { mailbox: usize, uids: Vec<u32> },
    Tidy,
    Reopen,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let mailbox = || 0..MAILBOXES.len();
    let uids = || prop::collection::vec(1..25_u32, 0..8);
    let step = prop_oneof![
        3 => (0..8_usize).prop_map(|letter| Step::Accept { letter }),
        4 => (mailbox(), prop::collection::vec(0..8_usize, 1..5))
            .prop_map(|(mailbox, letters)| Step::Append { mailbox, letters }),
        3 => (mailbox(), mailbox(), uids()).prop_map(|(from, to, uids)| Step::Copy { from, to, uids }),
        3 => (mailbox(), mailbox(), uids()).prop_map(|(from, to, uids)| Step::Move { from, to, uids }),
        4 => (mailbox(), uids(), 0..32_u8, any::<bool>())
            .prop_map(|(mailbox, uids, flag, add)| Step::Flag { mailbox, uids, flag, add }),
        2 => (mailbox(), prop::option::of(uids())).prop_map(|(mailbox, uids)| Step::Expunge { mailbox, uids }),
        2 => (mailbox(), uids()).prop_map(|(mailbox, uids)| Step::Remove { mailbox, uids }),
        1 => Just(Step::Tidy),
        1 => Just(Step::Reopen),
    ];
    prop::collection::vec(step, 1..40)
}

#[derive(Debug, Clone, PartialEq)]
struct Held {
    letter: usize,
    prefix: Vec<u8>,
    flags: u8,
}

impl Held {
    fn bytes(&self) -> Vec<u8> {
        [self.prefix.as_slice(), &noise(self.letter, SIZE)].concat()
    }
}

#[derive(Debug, Default)]
struct Model {
    mailboxes: [BTreeMap<u32, Held>; 3],
    last: [u32; 3],
}

impl Model {
    fn add(&mut self, mailbox: usize, held: Held) {
        self.last[mailbox] += 1;
        self.mailboxes[mailbox].insert(self.last[mailbox], held);
    }

    fn copy(&mut self, from: usize, to: usize, uids: &[u32]) {
        let held: Vec<Held> =
            self.mailboxes[from].iter().filter(|(uid, _)| uids.contains(uid)).map(|(_, held)| held.clone()).collect();
        held.into_iter().for_each(|held| self.add(to, held));
    }
}

async fn run(world: &World, alice: AccountId, model: &mut Model, step: &Step) {
    let store = &world.store;
    let id = |mailbox: usize| world.mailbox(alice, MAILBOXES[mailbox]).id;
    match step {
        Step::Accept { letter } => {
            let delivery = delivery(alice);
            let prefix = delivery.prefix.clone();
            store.accept(vec![acceptance(&noise(*letter, SIZE), vec![delivery])]).await.unwrap();
            model.add(0, Held { letter: *letter, prefix, flags: 0 });
        }
        Step::Append { mailbox, letters } => {
            let appends = letters.iter().map(|letter| append(&noise(*letter, SIZE))).collect();
            store.append(id(*mailbox), appends).await.unwrap();
            for letter in letters {
                model.add(*mailbox, Held { letter: *letter, prefix: Vec::new(), flags: 0 });
            }
        }
        Step::Copy { from, to, uids } => {
            store.copy(id(*from), uid_list(uids), id(*to)).await.unwrap();
            model.copy(*from, *to, uids);
        }
        Step::Move { from, to, uids } => {
            store.move_messages(id(*from), uid_list(uids), id(*to)).await.unwrap();
            let last = model.last[*from];
            model.copy(*from, *to, uids);
            model.mailboxes[*from].retain(|uid, _| *uid > last || !uids.contains(uid));
        }
        Step::Flag { mailbox, uids, flag, add } => {
            let set = flags(Flags(*flag), &[]);
            let change = if *add { FlagChange::Add(set) } else { FlagChange::Remove(set) };
            store.change_flags(id(*mailbox), uid_list(uids), change, None).await.unwrap();
            for (_, held) in model.mailboxes[*mailbox].iter_mut().filter(|(uid, _)| uids.contains(uid)) {
                held.flags = if *add { held.flags | flag } else { held.flags & !flag };
            }
        }
        Step::Expunge { mailbox, uids } => {
            store.expunge(id(*mailbox), uids.as_deref().map(uid_list)).await.unwrap();
            let named = |uid: &u32| uids.as_ref().is_none_or(|uids| uids.contains(uid));
            model.mailboxes[*mailbox].retain(|uid, held| held.flags & Flags::DELETED.0 == 0 || !named(uid));
        }
        Step::Remove { mailbox, uids } => {
            store.remove_messages(id(*mailbox), uid_list(uids)).await.unwrap();
            model.mailboxes[*mailbox].retain(|uid, _| !uids.contains(uid));
        }
        Step::Tidy => store.tidy().await.unwrap(),
        Step::Reopen => {}
    }
}

fn compare(world: &World, alice: AccountId, model: &Model) {
    let mut used = 0;
    for (name, held) in MAILBOXES.iter().zip(&model.mailboxes) {
        let mailbox = world.mailbox(alice, name);
        let counted = |flag: Flags, set: bool| held.values().filter(|held| (held.flags & flag.0 != 0) == set).count();
        let size: u64 = held.values().map(|held| held.bytes().len() as u64).sum();
        assert_eq!(mailbox.messages as usize, held.len(), "messages of {name}");
        assert_eq!(mailbox.unseen as usize, counted(Flags::SEEN, false), "unseen of {name}");
        assert_eq!(mailbox.deleted as usize, counted(Flags::DELETED, true), "deleted of {name}");
        assert_eq!(mailbox.size, size, "size of {name}");
        assert_eq!(world.uids(mailbox.id), held.keys().copied().collect::<Vec<_>>(), "UIDs of {name}");
        let changes = world.store.snapshot().unwrap().changes(mailbox.id, ModSeq(0)).unwrap();
        assert_eq!(changes.changed.len(), held.len(), "the log of {name} has what is there");
        used += size;
    }
    assert_eq!(world.used(alice), used);
}

fn compare_bytes(world: &World, alice: AccountId, model: &Model) {
    for (name, held) in MAILBOXES.iter().zip(&model.mailboxes) {
        let id = world.mailbox(alice, name).id;
        for (uid, held) in held {
            assert_eq!(world.message(id, *uid).flags.system, Flags(held.flags), "flags of {name} {uid}");
            assert!(world.bytes(id, *uid).unwrap() == held.bytes(), "bytes of {name} {uid}");
        }
    }
}

/// Pack, offset, length, size, chunks, references: a blob's record as it is on the disk.
type Blob = (u32, u64, u64, u64, Vec<u32>, u64);

/// References are as many as refer, places don't overlap, and each pack knows how much of it is in use.
fn audit(folder: &std::path::Path, model: &Model) {
    let database = redb::Database::open(folder.join("store.redb")).unwrap();
    let transaction = database.begin_read().unwrap();
    let mut expected = HashMap::<[u8; 32], u64>::new();
    for held in model.mailboxes.iter().flat_map(BTreeMap::values) {
        let hash = Prepared::from_bytes(&noise(held.letter, SIZE)).unwrap().hash;
        *expected.entry(hash.0).or_default() += 1;
    }
    let mut found = HashMap::new();
    let mut places = BTreeMap::new();
    for entry in transaction.open_table(v1::BLOBS).unwrap().iter().unwrap() {
        let (hash, record) = entry.unwrap();
        let (pack, offset, len, _, _, references): Blob = postcard::from_bytes(record.value()).unwrap();
        found.insert(*hash.value(), references);
        assert!(places.insert((pack, offset), (len, *hash.value())).is_none());
    }
    assert_eq!(found, expected);
    let named: Vec<_> = transaction
        .open_table(v1::PACK_BLOBS)
        .unwrap()
        .iter()
        .unwrap()
        .map(|entry| entry.map(|(key, hash)| (key.value(), *hash.value())).unwrap())
        .collect();
    assert_eq!(named, places.iter().map(|(key, (_, hash))| (*key, *hash)).collect::<Vec<_>>());
    for entry in transaction.open_table(v1::PACKS).unwrap().iter().unwrap() {
        let (pack, state) = entry.unwrap();
        let (pack, (end, live)) = (pack.value(), state.value());
        let mut reached = 0;
        for ((_, offset), (len, _)) in places.range((pack, 0)..=(pack, u64::MAX)) {
            assert!(*offset >= reached, "places don't overlap");
            reached = offset + len;
        }
        let in_use: u64 = places.range((pack, 0)..=(pack, u64::MAX)).map(|(_, (len, _))| len).sum();
        assert!(reached <= end);
        assert_eq!(live, in_use, "in use of pack {pack}");
        assert_eq!(std::fs::metadata(folder.join(format!("packs/{pack:08}.pack"))).unwrap().len(), end);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn random_work_keeps_counts_sizes_and_references_right(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let (mut world, alice) = World::with_alice_and(Options { pack_size: 8 << 10, ..options() }).await;
            let mut model = Model::default();
            for step in &steps {
                run(&world, alice, &mut model, step).await;
                if matches!(step, Step::Reopen) {
                    world = world.reopened(|_| {});
                }
                compare(&world, alice, &model);
            }
            compare_bytes(&world, alice, &model);
            world.reopened(|folder| audit(folder, &model));
        });
    }
}
