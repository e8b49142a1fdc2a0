//! The machine we run on.

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use mailstead_net::BoxFuture;
use tokio::io::AsyncReadExt as _;
use tokio::net::{TcpStream, UdpSocket};

use super::host::{Access, Entry, Holder, Host, Listening, OpenFiles, Space};
use super::{proc, sntp};

/// A greeting's line (RFC 5321 4.5.3.1.5), and some more.
const LONGEST_GREETING: usize = 1024;
/// More files than a data folder has.
const MOST_ENTRIES: usize = 10_000;

/// The machine we run on.
#[derive(Debug, Clone, Copy)]
pub struct ThisHost;

impl Host for ThisHost {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn greeting(&self, at: SocketAddr) -> BoxFuture<'_, io::Result<String>> {
        Box::pin(async move {
            let mut stream = TcpStream::connect(at).await?;
            let mut said = Vec::new();
            while !said.contains(&b'\n') && said.len() < LONGEST_GREETING {
                let mut some = [0; 256];
                let count = stream.read(&mut some).await?;
                if count == 0 {
                    break;
                }
                said.extend(some.get(..count).unwrap_or_default());
            }
            if said.is_empty() {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let text = String::from_utf8_lossy(&said);
            Ok(text.lines().next().unwrap_or_default().to_owned())
        })
    }

    fn behind(&self, time_server: SocketAddr) -> BoxFuture<'_, io::Result<SignedDuration>> {
        Box::pin(async move {
            let any = if time_server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
            let socket = UdpSocket::bind(SocketAddr::new(any, 0)).await?;
            socket.connect(time_server).await?;
            let mut cookie = [0; 8];
            getrandom::fill(&mut cookie).map_err(io::Error::other)?;
            let sent = Timestamp::now();
            socket.send(&sntp::question(cookie)).await?;
            let mut answer = [0; 512];
            let count = socket.recv(&mut answer).await?;
            sntp::behind(answer.get(..count).unwrap_or_default(), cookie, sent, Timestamp::now())
        })
    }

    fn listeners(&self) -> io::Result<Vec<Listening>> {
        // Under systemd's ProcSubset=pid nothing of /proc is there but processes.
        let fourth = std::fs::read_to_string("/proc/self/net/tcp")?;
        // A machine without IPv6 has no such table.
        let sixth = std::fs::read_to_string("/proc/self/net/tcp6").unwrap_or_default();
        Ok([fourth, sixth].iter().flat_map(|table| proc::listeners(table)).collect())
    }

    fn holder(&self, socket: u64) -> Option<Holder> {
        proc::holder(Path::new("/proc"), socket)
    }

    fn space(&self, folder: &Path) -> io::Result<Space> {
        let room = rustix::fs::statvfs(folder)?;
        Ok(Space {
            bytes: room.f_blocks.saturating_mul(room.f_frsize),
            free_bytes: room.f_bavail.saturating_mul(room.f_frsize),
            inodes: room.f_files,
            free_inodes: room.f_favail,
        })
    }

    fn access(&self, folder: &Path) -> io::Result<Access> {
        let metadata = std::fs::metadata(folder)?;
        Ok(Access { mode: metadata.mode(), owner: metadata.uid() })
    }

    fn entries(&self, folder: &Path) -> io::Result<Vec<Entry>> {
        let entries = std::fs::read_dir(folder)?.flatten().take(MOST_ENTRIES);
        let entry = |entry: std::fs::DirEntry| {
            let metadata = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
            let written = Timestamp::from_second(metadata.mtime()).ok()?;
            Some(Entry { name: entry.file_name().into_string().ok()?, size: metadata.len(), written })
        };
        Ok(entries.filter_map(entry).collect())
    }

    fn open_files(&self) -> io::Result<OpenFiles> {
        let open = std::fs::read_dir("/proc/self/fd")?.count() as u64;
        proc::open_files(&std::fs::read_to_string("/proc/self/limits")?, open)
    }

    fn user(&self) -> io::Result<u32> {
        Ok(std::fs::metadata("/proc/self")?.uid())
    }
}
