//! What becomes of a letter from the world: who may receive it, what is changed in it, where it goes.
//!
//! [`Exchange`] is the house behind port 25. What it has in common with submission (`mailstead-outbound`) is here too:
//! [`Reception`] takes a message in, [`Letter`] is a message that may be too large for memory, `routing` says where its
//! recipients lead and `way` what each of them becomes, [`Signing`] signs in our domains' names, [`post`] sends what we
//! write ourselves. [`Checks`] judge who a stranger's letter is from (`judgement`); letters that bring reports on our
//! domains are read and stored as such (`reports`). What aliases send on into the world gets a seal (`forwarding`) and a
//! reverse-path of ours that leads back to its sender (`returns`).
//!
//! **Invariants:** a message is taken for all its recipients or for none, in one transaction, and the peer hears 250
//! only after that is on disk. Every account and every remote address gets a message once, however many of its
//! recipients lead there. Nothing is relayed unless the [`Reception`] was made for our own people. A spooled message is
//! never held in memory, but for one report at a time.
//!
//! RFC 5321 (3.9 aliases, 4.4 trace, 6.3 loops), 3461 (5.2.7 aliases, 6 receipts), 9228 (Delivered-To), 6531, 8689
//! (REQUIRETLS); what is proved and signed, and by which RFCs, is in `mailstead-auth`. Start reading at [`Exchange`], then
//! [`Reception::take_in`].

mod exchange;
mod forwarding;
mod judgement;
mod letter;
mod ration;
mod receipt;
mod reception;
mod refusal;
mod reports;
mod returns;
mod routing;
mod signing;
mod story;
mod way;

pub use exchange::Exchange;
pub use forwarding::Found;
pub use judgement::{CheckPolicy, Checks, Judgement};
pub use letter::{Letter, MAX_HEADER};
pub use receipt::{Post, post};
pub use reception::{Edited, Policy, Reception, Relay};
pub use refusal::Refusal;
pub(crate) use refusal::trouble;
pub use returns::{forget_senders, original_sender};
pub use signing::{Signature, Signing, make_keys};
