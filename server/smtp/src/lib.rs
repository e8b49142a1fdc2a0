//! SMTP: wire syntax, the server's session, the client's session, and their thin tokio drivers.
//!
//! **Invariants:** knows nothing of accounts or stores: what must be decided is asked through
//! [`server::Handler`]. Parsers and sessions take bytes and give events; only the server's `driver` and the client's
//! `connection` touch sockets and clocks. No bare CR or LF passes in either direction.
//!
//! RFC 5321, 1870 (SIZE), 2034/3463 (enhanced codes), 2920 (PIPELINING), 3030 (CHUNKING), 3207 (STARTTLS), 3461 (DSN),
//! 4954 (AUTH), 6152 (8BITMIME), 6531 (SMTPUTF8), 6409 (submission), 8314 (implicit TLS), 8689 (REQUIRETLS), 9422
//! (LIMITS).
//!
//! Start reading at [`server::Handler`].

pub mod client;
pub mod reply;
pub mod server;
pub mod wire;

pub use reply::Reply;
