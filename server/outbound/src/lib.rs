//! What becomes of a letter to the world: submission, queue, routing, delivery, reports.
//!
//! [`Submission`] takes our own people's letters (`submission`), looks at their headers and completes them
//! (`completion`). The [`Runner`] looks at what is due (`runner`), cuts each entry into parts by destination (`run`),
//! hands them to workers (`dispatch`) that find a server (`mx`, `search`) whose TLS is good enough (`demand`, `sts`),
//! send (`attempt`) and write down what came of it together with the reports it causes (`settle`, `report`, `retry`). The
//! [`Keeper`] looks after the keys that letters are signed with, and at what is published of them (`seen`). The
//! [`Reporter`] sends each day the reports on TLS and DMARC that others ask for (`reporting`).
//!
//! **Invariants:** what a peer has accepted is written down before anything else is done, and is never sent again by
//! the same process, even if it can't be written. A refusal is permanent only if a server or the DNS clearly said so;
//! every other trouble is temporary. No report goes to the null reverse-path. No stranger's DNS makes us connect to our
//! own network.
//!
//! RFC 5321 (4.5.4 queueing, 5 routing), 7505 (null MX), 3461 and 3464 (reports), 7435 (opportunistic TLS),
//! 8461 (MTA-STS), 7672 (DANE), 8689 (REQUIRETLS), 8460 (reports on TLS), 6409 (submission). Start reading at [`Submission`], then [`Runner`].

mod attempt;
mod bounce;
mod completion;
mod context;
mod demand;
mod destination;
mod dispatch;
mod keeper;
mod mx;
mod policy;
mod report;
mod reporting;
mod retry;
mod run;
mod runner;
mod search;
mod seen;
mod settle;
pub mod sts;
mod submission;

pub use bounce::bounce;
pub use keeper::{Keeper, RETIRING_DAYS, add_domain, begin_rotation, make_first_keys};
pub use policy::{Policy, Schedule};
pub use reporting::{Fate, Reporter, Sent};
pub use runner::Runner;
pub use submission::Submission;

pub(crate) use context::Context;

/// An enhanced status code (RFC 3463): class, subject, detail.
pub(crate) type Status = (u8, u16, u16);
