//! The tiny internet's DNS for programs that ask nobody but `/etc/resolv.conf`, and nowhere but at port 53.

use std::io::copy;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tempfile::TempDir;

use crate::Tool;
use crate::process::{is_root, loopback_address};

/// An answer that takes longer has been lost; whoever asked asks again.
const ANSWER: Duration = Duration::from_secs(5);
/// Runs a program in a mount namespace of its own in which the first argument is `/etc/resolv.conf`.
const INSIDE: &str = "mount --bind \"$1\" /etc/resolv.conf && shift && exec \"$@\"";

/// Port 53 of a loopback address of its own, passing every question on to a name server elsewhere, and programs that
/// know no other name server. They still share this machine's loopback, but reach no name outside of it.
#[derive(Debug)]
pub struct Names {
    /// The address to ask at, port 53.
    pub address: Ipv4Addr,
    folder: TempDir,
}

impl Names {
    /// Passes questions on to the name server at `upstream` (`address:port`).
    ///
    /// # Panics
    /// When not root, who alone may use port 53 and mount.
    #[track_caller]
    pub fn of(upstream: &str) -> Self {
        assert!(is_root(), "only root may listen on port 53: run these tests as root (tests/run does in CI)");
        let upstream: SocketAddr = upstream.parse().expect("address:port");
        let (udp, tcp) = bind();
        let IpAddr::V4(address) = udp.local_addr().unwrap().ip() else { panic!("an IPv4 loopback address") };
        std::thread::spawn(move || pass_datagrams(&udp, upstream));
        std::thread::spawn(move || pass_connections(&tcp, upstream));
        Self::at(address)
    }

    /// Uses the name server that listens on port 53 of this address already.
    pub fn at(address: Ipv4Addr) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        // `trust-ad`: what this name server says it has validated, it has (glibc clears the bit otherwise).
        let text = format!("nameserver {address}\noptions trust-ad edns0\n");
        std::fs::write(folder.path().join("resolv.conf"), text).unwrap();
        Self { address, folder }
    }

    /// A program to its end, with these names.
    pub fn tool(&self, program: &str) -> Tool {
        Tool::new("unshare").args(["-m", "sh", "-c", INSIDE, "sh"]).arg(self.resolv_conf()).arg(program)
    }

    /// A program that stays, with these names. It has the process number of the command.
    pub fn command(&self, program: &str) -> Command {
        command_with(&self.resolv_conf(), program)
    }

    /// What programs read instead of `/etc/resolv.conf`.
    pub fn resolv_conf(&self) -> PathBuf {
        self.folder.path().join("resolv.conf")
    }
}

/// A program that finds this file at `/etc/resolv.conf`.
pub(crate) fn command_with(resolv_conf: &Path, program: &str) -> Command {
    let mut command = Command::new("unshare");
    command.args(["-m", "sh", "-c", INSIDE, "sh"]).arg(resolv_conf).arg(program);
    command
}

/// Port 53 is fixed, so the address is drawn: tests may run side by side.
fn bind() -> (UdpSocket, TcpListener) {
    for _ in 0..100 {
        let address = loopback_address();
        if let Ok(udp) = UdpSocket::bind((address, 53))
            && let Ok(tcp) = TcpListener::bind((address, 53))
        {
            return (udp, tcp);
        }
    }
    panic!("no loopback address with a free port 53")
}

fn pass_datagrams(udp: &UdpSocket, upstream: SocketAddr) {
    let mut question = [0; 4_096];
    while let Ok((length, asker)) = udp.recv_from(&mut question) {
        let (udp, question) = (udp.try_clone().unwrap(), question[..length].to_vec());
        std::thread::spawn(move || {
            let ask = || -> std::io::Result<Vec<u8>> {
                let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
                socket.set_read_timeout(Some(ANSWER))?;
                socket.connect(upstream)?;
                socket.send(&question)?;
                let mut answer = vec![0; 65_536];
                let length = socket.recv(&mut answer)?;
                answer.truncate(length);
                Ok(answer)
            };
            if let Ok(answer) = ask() {
                let _ = udp.send_to(&answer, asker);
            }
        });
    }
}

fn pass_connections(tcp: &TcpListener, upstream: SocketAddr) {
    for mut asker in tcp.incoming().flatten() {
        std::thread::spawn(move || -> std::io::Result<()> {
            let mut server = TcpStream::connect(upstream)?;
            let (mut questions, mut answers) = (asker.try_clone()?, server.try_clone()?);
            std::thread::spawn(move || {
                let _ = copy(&mut answers, &mut asker);
                let _ = asker.shutdown(std::net::Shutdown::Both);
            });
            copy(&mut questions, &mut server)?;
            server.shutdown(std::net::Shutdown::Write)
        });
    }
}
