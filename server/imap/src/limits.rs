//! Limits and timeouts, each with its reason.

use std::time::Duration;

/// Octets of a command's held literals before login: names and passwords are short, strangers are not to be fed.
pub(crate) const MAX_LITERALS_BEFORE_LOGIN: usize = 4 << 10;
/// Octets of a command's held literals after login: names, search texts; messages are streamed and don't count.
pub(crate) const MAX_LITERALS: usize = 64 << 10;
/// A connection has this long to log in.
pub(crate) const LOGIN_TIME: Duration = Duration::from_secs(2 * 60);
/// Commands and literals before login: a client needs fewer than ten.
pub(crate) const MAX_COMMANDS_BEFORE_LOGIN: u32 = 50;
/// Wrong passwords before the connection is closed; the gate counts them across connections.
pub(crate) const MAX_LOGIN_FAILURES: u32 = 5;
/// A client that takes a block of output no faster than this is gone.
pub(crate) const WRITE_TIME: Duration = Duration::from_secs(5 * 60);
/// The same while the server goes down.
pub(crate) const WRITE_TIME_STOPPING: Duration = Duration::from_secs(5);
/// Output is written in blocks of about this size: large enough that system calls don't count, small enough that
/// hundreds of sessions fit.
pub(crate) const BLOCK: usize = 128 << 10;
/// Read at a time while commands come: held by every waiting session, so kept small.
pub(crate) const COMMAND_BUFFER: usize = 2 << 10;
/// Read at a time while a message comes.
pub(crate) const MESSAGE_BUFFER: usize = 64 << 10;
/// A message to append that is no larger is held in memory, others go to a spool file.
pub(crate) const SPOOL_ABOVE: u64 = 256 << 10;
/// An appended message must come faster than this many octets a second, seen over its whole; a modem did.
pub(crate) const MIN_APPEND_RATE: u64 = 1 << 10;
/// On top of what [`MIN_APPEND_RATE`] grants.
pub(crate) const APPEND_TIME: Duration = Duration::from_secs(2 * 60);
/// A refused message that the client sends without asking (LITERAL+) is read and thrown away up to this size, so
/// that the client hears why; with a larger one the connection ends.
pub(crate) const MAX_DISCARDED: u64 = 256 << 20;
/// During IDLE something is said this often, so that routers on the way (which forget a silent connection after
/// some 5 minutes) keep it, and a dead peer is found. Radios of phones wake each time, so not more often.
pub(crate) const IDLE_KEEPALIVE: Duration = Duration::from_secs(4 * 60);
