#![allow(clippy::unwrap_used, clippy::expect_used)]

use mailstead_store::{BlobHash, FlagSet, Flags, Timestamp};

use super::*;

fn view(uids: &[u32], first_recent: u32) -> View {
    View::new(Opened {
        mailbox: MailboxId(1),
        read_only: false,
        uids: uids.iter().copied().map(Uid).collect(),
        first_recent: Uid(first_recent),
        modseq: ModSeq(10),
        looked_at: ModSeq(10),
        keywords: BTreeSet::new(),
    })
}

fn message(uid: u32, modseq: u64) -> Message {
    Message {
        uid: Uid(uid),
        flags: FlagSet { system: Flags::SEEN, ..FlagSet::default() },
        size: 1,
        internal_date: Timestamp(0),
        modseq: ModSeq(modseq),
        blob: BlobHash([0; 32]),
        prefix_len: 0,
    }
}

fn changes(changed: &[(u32, u64)], expunged: &[u32]) -> Changes {
    Changes {
        changed: changed.iter().map(|(uid, modseq)| message(*uid, *modseq)).collect(),
        expunged: expunged.iter().copied().map(Uid).collect(),
        up_to: ModSeq(20),
    }
}

const BARE: FlagsStyle = FlagsStyle { uid: false, modseq: false };

fn told(view: &mut View, changes: Changes, moment: Moment, known: &Told) -> Vec<String> {
    let mut out = Vec::new();
    view.tell(changes, moment, known, BARE, &mut out);
    String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn each_expunge_counts_by_the_list_the_ones_before_left() {
    let mut view = view(&[2, 4, 6, 8], 99);
    let lines = told(&mut view, changes(&[], &[2, 6, 8]), Moment::Any, &Told::new());
    assert_eq!(lines, ["* 1 EXPUNGE", "* 2 EXPUNGE", "* 2 EXPUNGE"]);
    assert_eq!(view.exists(), 1);
    assert_eq!(view.number_of(Uid(4)), Some(1));
}

#[test]
fn an_expunge_waits_for_its_moment_and_numbers_stay_until_then() {
    let mut view = view(&[2, 4, 6], 99);
    assert!(told(&mut view, changes(&[], &[4]), Moment::NoExpunge, &Told::new()).is_empty());
    assert_eq!(view.number_of(Uid(6)), Some(3));
    assert!(view.is_behind(ModSeq(10), Moment::Any));
    assert!(!view.is_behind(ModSeq(10), Moment::NoExpunge));
    let lines = told(&mut view, changes(&[(6, 15), (7, 16)], &[]), Moment::NoExpunge, &Told::new());
    assert_eq!(lines, ["* 4 EXISTS", "* 0 RECENT", "* 3 FETCH (FLAGS (\\Seen))"]);
    assert_eq!(told(&mut view, changes(&[], &[]), Moment::Any, &Told::new()), ["* 2 EXPUNGE"]);
    assert_eq!(view.number_of(Uid(7)), Some(3));
}

#[test]
fn arrivals_are_counted_and_recent() {
    let mut view = view(&[2], 3);
    let lines = told(&mut view, changes(&[(5, 11), (7, 12)], &[3]), Moment::Any, &Told::new());
    assert_eq!(lines, ["* 3 EXISTS", "* 2 RECENT"], "what came and went between is never heard of");
    assert!(view.has_arrivals);
}

#[test]
fn ones_own_changes_are_not_told_twice_but_others_to_the_same_message_are() {
    let mut view = view(&[1, 2], 99);
    let own = Told::from([(Uid(1), ModSeq(15)), (Uid(2), ModSeq(15))]);
    let lines = told(&mut view, changes(&[(1, 15), (2, 17)], &[]), Moment::NoExpunge, &own);
    assert_eq!(lines, ["* 2 FETCH (FLAGS (\\Seen))"]);
}

#[test]
fn a_new_keyword_is_announced_before_it_is_shown() {
    let mut view = view(&[1], 99);
    let mut changes = changes(&[(1, 15)], &[]);
    changes.changed[0].flags.keywords.insert("$Work".to_owned());
    let lines = told(&mut view, changes, Moment::NoExpunge, &Told::new());
    assert!(lines[0].starts_with("* FLAGS (") && lines[0].contains("$Work"), "{lines:?}");
    assert!(lines[1].contains("PERMANENTFLAGS") && lines[1].contains("\\*"), "{lines:?}");
    assert_eq!(lines[2], "* 1 FETCH (FLAGS (\\Seen $Work))");
}

#[test]
fn uid_and_modseq_come_along_when_the_client_speaks_condstore() {
    let view = view(&[9], 1);
    let mut out = Vec::new();
    view.write_flags(&message(9, 12), FlagsStyle { uid: true, modseq: true }, &mut out);
    assert_eq!(out, b"* 1 FETCH (UID 9 MODSEQ (12) FLAGS (\\Seen \\Recent))\r\n");
    out.clear();
    view.write_flags(&message(8, 12), BARE, &mut out);
    assert!(out.is_empty(), "what the client does not know has no number");
}
