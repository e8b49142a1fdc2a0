//! The machine, as the doctor sees it: the real one, or one that a test made up.

use std::io;
use std::net::SocketAddr;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use mailstead_net::BoxFuture;

/// The machine.
pub trait Host: Send + Sync {
    /// What its clock says.
    fn now(&self) -> Timestamp;

    /// Connects, and reads the first line that is said.
    ///
    /// # Errors
    /// No connection, or nothing is said; the caller bounds the time.
    fn greeting(&self, at: SocketAddr) -> BoxFuture<'_, io::Result<String>>;

    /// How far this clock is behind that time server's; negative when it is ahead.
    ///
    /// # Errors
    /// No answer or none of use; the caller bounds the time.
    fn behind(&self, time_server: SocketAddr) -> BoxFuture<'_, io::Result<SignedDuration>>;

    /// Every TCP socket that listens.
    ///
    /// # Errors
    /// They can't be read.
    fn listeners(&self) -> io::Result<Vec<Listening>>;

    /// The program behind a socket, where we may know.
    fn holder(&self, socket: u64) -> Option<Holder>;

    /// Room where this folder is.
    ///
    /// # Errors
    /// It can't be read.
    fn space(&self, folder: &Path) -> io::Result<Space>;

    /// Who may use a folder.
    ///
    /// # Errors
    /// It can't be read.
    fn access(&self, folder: &Path) -> io::Result<Access>;

    /// The files in a folder.
    ///
    /// # Errors
    /// It can't be read.
    fn entries(&self, folder: &Path) -> io::Result<Vec<Entry>>;

    /// Files and connections this process may have and has.
    ///
    /// # Errors
    /// They can't be read.
    fn open_files(&self) -> io::Result<OpenFiles>;

    /// The number of the user we run as.
    ///
    /// # Errors
    /// It can't be read.
    fn user(&self) -> io::Result<u32>;
}

/// A listening socket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listening {
    /// Where.
    pub address: SocketAddr,
    /// The user who opened it.
    pub user: u32,
    /// Its number.
    pub socket: u64,
}

/// A program.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Holder {
    /// The process's number.
    pub process: u32,
    /// What it is called.
    pub name: String,
    /// The systemd unit it belongs to.
    pub unit: Option<String>,
}

/// Room on a disk. Inodes are what each file needs one of; there are none to count on some file systems.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes.
    pub bytes: u64,
    /// Bytes we may still use.
    pub free_bytes: u64,
    /// Inodes.
    pub inodes: u64,
    /// Inodes we may still use.
    pub free_inodes: u64,
}

/// Who may use a folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// Permission bits.
    pub mode: u32,
    /// The owner's number.
    pub owner: u32,
}

/// A file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name in the folder.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// When it was last written.
    pub written: Timestamp,
}

/// Files and connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpenFiles {
    /// Open now.
    pub open: u64,
    /// The most at once; nothing: no limit.
    pub limit: Option<u64>,
}
