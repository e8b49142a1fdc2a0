//! A message on its way in: what is kept of it, and what is wrong with it.

use crate::Reply;
use crate::wire::LineFaults;

/// Blocks of a spooled message: large enough that a file write is worth a thread's attention.
const SPOOL_BLOCK: usize = 256 << 10;
/// A message too large is read on to its end, so that its sender hears why; past the limit once more and this, no longer.
const PATIENCE: u64 = 1 << 20;

/// What is kept of a message.
#[derive(Debug, Default)]
pub(super) struct Intake {
    max_size: u64,
    spool_above: usize,
    /// Not spooled yet.
    pub(super) held: Vec<u8>,
    spooled: bool,
    size: u64,
    dropped: bool,
    spool_failed: bool,
    faults: LineFaults,
}

/// What to do after a block was added.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum After {
    Nothing,
    Spool(Vec<u8>),
    /// It will be refused: what was spooled can go.
    Discard,
    /// Far too much: there is no point in reading on.
    GiveUp,
}

impl Intake {
    pub(super) fn new(max_size: u64, spool_above: usize) -> Self {
        Self { max_size, spool_above, ..Self::default() }
    }

    /// Makes room for what is about to come, given the announced size.
    pub(super) fn expect(&mut self, announced: Option<u64>) {
        let announced = usize::try_from(announced.unwrap_or_default()).unwrap_or(usize::MAX);
        if self.held.capacity() == 0 && !self.spooled && !self.dropped {
            self.held.reserve(announced.min(self.spool_above));
        }
    }

    /// Looks at what was appended to `held` since it had `before` bytes. What is left at the end is handed over with the
    /// message, not spooled, so that one place knows whether all of it was kept.
    pub(super) fn appended(&mut self, before: usize, faults: LineFaults, ended: bool) -> After {
        self.size = self.size.saturating_add(self.held.len().saturating_sub(before) as u64);
        self.faults = faults;
        if self.size > self.max_size.saturating_mul(2).saturating_add(PATIENCE) {
            return After::GiveUp;
        }
        if self.dropped || self.refusal().is_some() {
            self.held = Vec::new();
            let first = !std::mem::replace(&mut self.dropped, true);
            return if first && self.spooled { After::Discard } else { After::Nothing };
        }
        let full = if self.spooled { self.held.len() >= SPOOL_BLOCK } else { self.held.len() > self.spool_above };
        if !full || ended {
            return After::Nothing;
        }
        self.spooled = true;
        After::Spool(std::mem::replace(&mut self.held, Vec::with_capacity(SPOOL_BLOCK)))
    }

    /// Octets of the message so far.
    pub(super) fn size(&self) -> u64 {
        self.size
    }

    /// The message grows by this much more, known before it comes.
    pub(super) fn would_be_too_large(&self, more: u64) -> bool {
        self.size.saturating_add(more) > self.max_size
    }

    /// The spool can't take it.
    pub(super) fn spool_failed(&mut self) {
        self.spool_failed = true;
        self.dropped = true;
        self.held = Vec::new();
    }

    /// Why the message is refused, if it is.
    pub(super) fn refusal(&self) -> Option<Reply> {
        if self.faults.bare {
            Some(Reply::new(550, (5, 6, 11), "the message has a bare CR, a bare LF or a NUL in it; lines end in CR LF"))
        } else if self.size > self.max_size {
            Some(too_large(self.max_size))
        } else if self.faults.too_long {
            Some(Reply::new(554, (5, 6, 0), "the message has a line of more than a million characters"))
        } else if self.spool_failed {
            Some(no_room())
        } else {
            None
        }
    }
}

/// The disk is full.
pub(super) fn no_room() -> Reply {
    Reply::new(452, (4, 3, 1), "there is no room for the message at the moment, try again later")
}

/// A message over the limit, announced or sent.
pub(super) fn too_large(max_size: u64) -> Reply {
    Reply::new(552, (5, 3, 4), format!("the message is too large, the limit is {max_size} octets"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn add(intake: &mut Intake, bytes: usize) -> After {
        let before = intake.held.len();
        intake.held.resize(before + bytes, b'x');
        intake.appended(before, LineFaults::default(), false)
    }

    #[test]
    fn a_message_goes_to_the_spool_when_it_outgrows_memory() {
        let mut intake = Intake::new(10 << 20, 1_000);
        assert_eq!(add(&mut intake, 1_000), After::Nothing);
        assert_eq!(add(&mut intake, 1), After::Spool(vec![b'x'; 1_001]));
        assert_eq!(add(&mut intake, SPOOL_BLOCK - 1), After::Nothing);
        assert!(matches!(add(&mut intake, 1), After::Spool(block) if block.len() == SPOOL_BLOCK));
        assert_eq!(intake.refusal(), None);
    }

    #[test]
    fn a_message_too_large_is_let_go_of_at_once_and_read_on_for_a_while() {
        let mut intake = Intake::new(10_000, 1_000);
        assert!(matches!(add(&mut intake, 2_000), After::Spool(_)));
        assert_eq!(add(&mut intake, 9_000), After::Discard);
        assert_eq!(add(&mut intake, 9_000), After::Nothing);
        assert!(intake.held.is_empty());
        assert_eq!(intake.refusal().map(|reply| reply.code), Some(552));
        assert_eq!(add(&mut intake, 2 << 20), After::GiveUp);
    }

    #[test]
    fn a_full_disk_is_a_temporary_trouble_unless_the_message_is_wrong_anyway() {
        let mut intake = Intake::new(10_000, 1_000);
        assert!(matches!(add(&mut intake, 2_000), After::Spool(_)));
        intake.spool_failed();
        assert_eq!(intake.refusal().map(|reply| reply.code), Some(452));
        let bare = LineFaults { bare: true, too_long: false };
        assert_eq!(intake.appended(0, bare, true), After::Nothing);
        assert_eq!(intake.refusal().map(|reply| reply.code), Some(550));
    }
}
