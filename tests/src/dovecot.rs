//! Debian's Dovecot, to measure against: LMTP in, IMAP over TLS out, Maildir between.

use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::process::{Process, free_port, is_root};

/// The user that owns the mail: no real one, within Dovecot's allowed range.
const MAIL_OWNER: u32 = 5000;
/// Starting takes a second on a busy machine.
const READY: Duration = Duration::from_secs(30);

/// A running Dovecot. Dropped, it is stopped and its folder removed.
#[derive(Debug)]
pub struct Dovecot {
    process: Process,
    folder: TempDir,
    /// IMAP with TLS from the first byte.
    pub imaps: u16,
}

impl Dovecot {
    /// Starts one with these logins (address and password) and waits until it listens.
    ///
    /// # Panics
    /// When it can't: not root, not installed, or its own complaint.
    #[track_caller]
    pub fn start(host: &str, logins: &[(&str, &str)]) -> Self {
        assert!(is_root(), "Dovecot can only be started by root: run this as root");
        let folder = TempDir::new().expect("a temporary folder");
        let root = folder.path();
        for name in ["", "mail", "tls", "sockets"] {
            let _ = std::fs::create_dir(root.join(name));
            std::fs::set_permissions(root.join(name), std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        chown(root.join("mail"), Some(MAIL_OWNER), Some(MAIL_OWNER)).unwrap();
        crate::postfix::make_certificate(&root.join("tls"), host);
        let imaps = free_port();
        let users: String = logins.iter().map(|(login, password)| format!("{login}:{{PLAIN}}{password}\n")).collect();
        std::fs::write(root.join("users"), users).unwrap();
        std::fs::set_permissions(root.join("users"), std::fs::Permissions::from_mode(0o644)).unwrap();
        let config = CONFIG
            .replace("@ROOT@", &root.display().to_string())
            .replace("@IMAPS@", &imaps.to_string())
            .replace("@OWNER@", &MAIL_OWNER.to_string());
        std::fs::write(root.join("dovecot.conf"), config).unwrap();
        let mut command = Command::new("/usr/sbin/dovecot");
        command.arg("-F").arg("-c").arg(root.join("dovecot.conf")).stdout(Stdio::null());
        let mut process = Process::start("dovecot", &mut command, &root.join("log"));
        process.wait_for_port(imaps, READY);
        Self { process, folder, imaps }
    }

    /// Its certificate, which is its own authority.
    pub fn certificate(&self) -> PathBuf {
        self.folder.path().join("tls/cert.pem")
    }

    /// The LMTP socket.
    pub fn lmtp(&self) -> PathBuf {
        self.folder.path().join("sockets/lmtp")
    }

    /// The socket at which Postfix asks about passwords.
    pub fn sasl(&self) -> PathBuf {
        self.folder.path().join("sockets/auth")
    }

    /// The number of its master process.
    pub fn id(&self) -> u32 {
        self.process.id()
    }
}

impl Drop for Dovecot {
    fn drop(&mut self) {
        self.process.signal("TERM");
        let end = std::time::Instant::now() + Duration::from_secs(10);
        while self.process.ended().is_none() && std::time::Instant::now() < end {
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

/// Debian's defaults, with what bounds strangers lifted; durability (`mail_fsync`) as it comes.
const CONFIG: &str = "\
base_dir = @ROOT@/run
state_dir = @ROOT@/run
log_path = @ROOT@/log
protocols = imap lmtp
listen = 127.0.0.1
instance_name = benchmark
ssl = required
ssl_cert = <@ROOT@/tls/cert.pem
ssl_key = <@ROOT@/tls/key.pem
mail_location = maildir:@ROOT@/mail/%u
mail_uid = @OWNER@
mail_gid = @OWNER@
first_valid_uid = @OWNER@
auth_mechanisms = plain login
mail_max_userip_connections = 1000
namespace inbox {
  inbox = yes
}
passdb {
  driver = passwd-file
  args = username_format=%u @ROOT@/users
}
userdb {
  driver = static
  args = uid=@OWNER@ gid=@OWNER@ home=@ROOT@/mail/%u allow_all_users=yes
}
service imap-login {
  inet_listener imap {
    port = 0
  }
  inet_listener imaps {
    port = @IMAPS@
    ssl = yes
  }
}
service lmtp {
  process_min_avail = 4
  unix_listener @ROOT@/sockets/lmtp {
    mode = 0666
  }
}
service auth {
  unix_listener @ROOT@/sockets/auth {
    mode = 0666
  }
}
protocol lmtp {
  postmaster_address = postmaster@bench.test
}
";
