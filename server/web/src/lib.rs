//! The web and the control socket: how a browser and the command line reach a running server.
//!
//! [`control`] is the operator's side: the same requests work over a running server's unix socket and on a
//! stopped server's store. [`http`] serves the pages of `admin-ui` over plain HTTP and HTTPS ([`site`] is what
//! all pages share, `pages` has the handlers of each), and what others fetch by machine: our domains' MTA-STS policies
//! ([`sts`]), settings for mail programs (`clients`), and proofs for certificate authorities. [`names`] are those under
//! which we are looked for.
//!
//! **Invariants:** the only room that knows axum; pages come from `admin-ui` and have no I/O of their own; whatever
//! an operator can do here the command line can do, through the same [`control::Operator`].
//!
//! Start reading at [`control::Request`].

mod assets;
mod clients;
pub mod control;
pub mod http;
pub mod logs;
pub mod names;
mod pages;
pub mod site;
pub mod sts;
