//! STORE (RFC 3501 6.4.6, RFC 7162 3.1.3).

use mailstead_store::{FlagsChanged, ModSeq};

use crate::connection::Connection;
use crate::reply::{Failure, Reply};
use crate::session::{FlagsStyle, Session, Told, View};
use crate::wire::{Ranges, SequenceSet, Store, encode};

pub(super) async fn store(
    session: &mut Session,
    connection: &mut Connection,
    by_uid: bool,
    set: &SequenceSet,
    store: Store,
    told: &mut Told,
) -> Result<Reply, Failure> {
    let view = session.writable_view()?;
    let selection = view.pick(set, by_uid)?;
    let mailbox = view.mailbox;
    if selection.is_empty() {
        return Ok(Reply::ok("there are no such messages"));
    }
    let conditional = store.unchanged_since.is_some();
    if conditional {
        session.enable_condstore(&mut connection.out);
    }
    let (silent, since) = (store.silent, store.unchanged_since.map(ModSeq));
    let changed = session.store.change_flags(mailbox, selection.uids(), store.change(), since).await?;
    told.extend(changed.messages.iter().map(|message| (message.uid, message.modseq)));
    let condstore = session.user()?.condstore;
    let view = session.view()?;
    view.learn_keywords(changed.messages.iter(), &mut connection.out);
    let style = FlagsStyle { uid: by_uid || condstore, modseq: condstore };
    for message in &changed.messages {
        if !silent {
            view.write_flags(message, style, &mut connection.out);
        } else if condstore {
            // RFC 7162 3.1.3: silence is about flags; the new modseq is told.
            view.write_modseq(message, &mut connection.out);
        }
    }
    Ok(outcome(view, &changed, selection.len(), by_uid))
}

fn outcome(view: &View, changed: &FlagsChanged, wanted: usize, by_uid: bool) -> Reply {
    if !changed.modified.is_empty() {
        let numbers = changed.modified.iter().filter_map(|uid| if by_uid { Some(uid.0) } else { view.number_of(*uid) });
        let code = format!("MODIFIED {}", Ranges::from_ascending(numbers));
        return Reply::ok("some have been changed by another").with_code(code);
    }
    if changed.messages.len() < wanted && !by_uid {
        return Reply::no("EXPUNGEISSUED", "some of these messages are gone");
    }
    Reply::ok("stored")
}

impl View {
    /// A FETCH response with nothing but a message's modseq.
    fn write_modseq(&self, message: &mailstead_store::Message, out: &mut Vec<u8>) {
        let Some(number) = self.number_of(message.uid) else { return };
        encode::number_in(b"* ", u64::from(number), b" FETCH (", out);
        encode::number_in(b"UID ", u64::from(message.uid.0), b" ", out);
        encode::number_in(b"MODSEQ (", message.modseq.0, b"))\r\n", out);
    }
}
