//! Linux's `/proc`, read: listening sockets, who holds them, limits.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;

use super::host::{Holder, Listening, OpenFiles};

/// `TCP_LISTEN` in the state column.
const LISTEN: &str = "0A";

/// The listening sockets in the text of `/proc/net/tcp` or `tcp6`; lines that are not understood are left out.
pub(super) fn listeners(table: &str) -> Vec<Listening> {
    table.lines().skip(1).filter_map(listener).collect()
}

fn listener(line: &str) -> Option<Listening> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    if *fields.get(3)? != LISTEN {
        return None;
    }
    Some(Listening {
        address: address(fields.get(1)?)?,
        user: fields.get(7)?.parse().ok()?,
        socket: fields.get(9)?.parse().ok()?,
    })
}

/// `0100007F:0019`: words in this machine's byte order.
fn address(text: &str) -> Option<SocketAddr> {
    let (ip, port) = text.split_once(':')?;
    let word = |at: usize| u32::from_str_radix(ip.get(at * 8..at * 8 + 8)?, 16).ok().map(u32::to_ne_bytes);
    let ip: IpAddr = match ip.len() {
        8 => Ipv4Addr::from(word(0)?).into(),
        32 => {
            let octets = [word(0)?, word(1)?, word(2)?, word(3)?].concat();
            Ipv6Addr::from(<[u8; 16]>::try_from(octets).ok()?).into()
        }
        _ => return None,
    };
    Some(SocketAddr::new(ip, u16::from_str_radix(port, 16).ok()?))
}

/// The process that has this socket open. Other users' processes tell only root.
pub(super) fn holder(proc: &Path, socket: u64) -> Option<Holder> {
    let wanted = format!("socket:[{socket}]");
    let processes = std::fs::read_dir(proc).ok()?.flatten();
    let mut numbers: Vec<u32> = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    // systemd holds the sockets of its socket units too: the service is the better answer.
    numbers.sort_unstable_by_key(|number| (*number == 1, *number));
    let holds = |number: &u32| {
        let files = std::fs::read_dir(proc.join(number.to_string()).join("fd")).into_iter().flatten().flatten();
        files.filter_map(|file| std::fs::read_link(file.path()).ok()).any(|to| to.to_str() == Some(&wanted))
    };
    let process = numbers.into_iter().find(holds)?;
    let read = |name: &str| std::fs::read_to_string(proc.join(process.to_string()).join(name)).unwrap_or_default();
    let name = read("comm").trim().chars().filter(|c| !c.is_control()).collect();
    Some(Holder { process, name, unit: unit(&read("cgroup")) })
}

/// The service in `0::/system.slice/exim4.service`. A user's session is none.
fn unit(cgroup: &str) -> Option<String> {
    let path = cgroup.lines().next_back()?.rsplit_once(':')?.1;
    let unit = path.split('/').rfind(|part| part.ends_with(".service"))?;
    let plain = unit.chars().all(|c| c.is_ascii_alphanumeric() || "@._:-\\".contains(c));
    (plain && path.starts_with("/system.slice/")).then(|| unit.to_owned())
}

/// The limit in the text of `/proc/self/limits`.
///
/// # Errors
/// It is not there.
pub(super) fn open_files(limits: &str, open: u64) -> io::Result<OpenFiles> {
    let line = limits.lines().find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next());
    let limit = match soft {
        Some("unlimited") => None,
        Some(number) => Some(number.parse().map_err(io::Error::other)?),
        None => return Err(io::Error::other("/proc/self/limits does not say")),
    };
    Ok(OpenFiles { open, limit })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used)]
    use super::*;

    const FOURTH: &str = "\
  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:0019 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 21503 1 00 100 0 0 10 0
   1: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 99 1 00 100 0 0 10 0
   2: 0100007F:1F90 0100007F:D431 01 00000000:00000000 00:00000000 00000000  1000        0 100 1 00 20 4 30 10 -1
   3: rubbish
";
    const SIXTH: &str = "\
  sl  local_address                         remote_address                        st
   0: 00000000000000000000000001000000:0019 00000000000000000000000000000000:0000 0A 0:0 0:0 0 105 0 7 1 0 100 0 0 10 0
";

    #[test]
    fn listening_sockets_are_read_and_others_left_out() {
        if cfg!(target_endian = "big") {
            return;
        }
        let found = listeners(FOURTH);
        assert_eq!(found.len(), 2);
        assert_eq!(found[0], Listening { address: "0.0.0.0:25".parse().unwrap(), user: 0, socket: 21_503 });
        assert_eq!((found[1].address, found[1].user), ("127.0.0.1:8080".parse().unwrap(), 1000));
        let sixth = listeners(SIXTH);
        assert_eq!((sixth[0].address, sixth[0].socket), ("[::1]:25".parse().unwrap(), 7));
    }

    #[test]
    fn a_socket_of_ours_is_found_in_the_real_table_with_its_process() {
        let socket = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
        let found = listeners(&table).into_iter().find(|found| found.address == address).unwrap();
        let holder = holder(Path::new("/proc"), found.socket).unwrap();
        assert_eq!(holder.process, std::process::id());
        assert!(!holder.name.is_empty());
    }

    #[test]
    fn the_unit_to_stop_is_a_systems_service_and_nothing_else() {
        assert_eq!(unit("0::/system.slice/exim4.service\n").as_deref(), Some("exim4.service"));
        assert_eq!(
            unit("0::/system.slice/system-postfix.slice/postfix@-.service\n").as_deref(),
            Some("postfix@-.service")
        );
        for none in ["", "0::/init.scope\n", "0::/user.slice/user-1000.slice/user@1000.service/app.slice/x.scope\n"] {
            assert_eq!(unit(none), None, "{none}");
        }
        assert_eq!(unit("0::/system.slice/$(reboot).service\n"), None);
    }

    #[test]
    fn the_limit_of_open_files_is_read() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units\n\
                      Max open files            1024                 524288               files\n";
        assert_eq!(open_files(limits, 7).unwrap(), OpenFiles { open: 7, limit: Some(1024) });
        assert!(open_files("nothing", 7).is_err());
    }
}
