//! Limits and timeouts, each with its reason.

use std::time::Duration;

/// A command line, line end not counted. RFC 2449 4 asks for 255 octets; an internationalised address or a long
/// passphrase may need more.
pub(crate) const MAX_LINE: usize = 512;
/// A line of AUTH: RFC 5034 4 asks for 255 octets with the command and 12,288 after it. Many clients put all in one.
pub(crate) const MAX_AUTH_LINE: usize = 12_288;
/// A line longer than this is not worth waiting for its end: the connection is given up.
pub(crate) const MAX_SKIPPED: usize = 1 << 20;
/// A connection has this long to log in.
pub(crate) const LOGIN_TIME: Duration = Duration::from_secs(2 * 60);
/// Commands before login: a client needs fewer than ten.
pub(crate) const MAX_COMMANDS_BEFORE_LOGIN: u32 = 50;
/// Wrong passwords before the connection is closed; the gate counts them across connections.
pub(crate) const MAX_LOGIN_FAILURES: u32 = 5;
/// Senseless commands in one session: a mail program's probing takes a handful, a scanner goes on for ever.
pub(crate) const MAX_ERRORS: u32 = 50;
/// Messages are read and written, and listings made, in blocks of about this size: large enough that system calls
/// don't count, small enough that hundreds of sessions fit.
pub(crate) const BLOCK: usize = 128 << 10;
/// Read at a time: held by every waiting session, so kept small.
pub(crate) const COMMAND_BUFFER: usize = 2 << 10;
/// A client that takes a block of output no faster than this is gone.
pub(crate) const WRITE_TIME: Duration = Duration::from_secs(5 * 60);
/// When the server goes down, a message that is going out has this long to end.
pub(crate) const STOP_PATIENCE: Duration = Duration::from_secs(15);
