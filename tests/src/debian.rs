//! A fresh Debian 12: a root folder made by debootstrap once and unpacked for each test, to install into, with or without
//! its systemd running. Its processes, mounts, names and network are its own.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use tempfile::TempDir;

use crate::Tool;
use crate::process::{Process, is_root};

/// Packages beyond the smallest Debian there is: what any rented server has.
const PACKAGES: &str = "systemd,ca-certificates";
/// Fetching and unpacking some 100 packages.
const MAKING: Duration = Duration::from_secs(300);
/// systemd is up in two seconds; a busy machine may need more.
const BOOTED: Duration = Duration::from_secs(60);
/// No command in it takes longer.
const PATIENCE: Duration = Duration::from_secs(120);

/// A root folder, removed when dropped.
#[derive(Debug)]
pub struct Debian {
    folder: TempDir,
}

/// A root folder whose systemd runs. Dropped, all that runs in it is killed.
#[derive(Debug)]
pub struct Booted {
    process: Process,
    cgroup: PathBuf,
    /// The number of its first process, seen from outside.
    first: String,
    debian: Debian,
}

impl Debian {
    /// Unpacks one; the first ever is made and kept in the cache folder.
    ///
    /// # Panics
    /// When it can't: not root, debootstrap missing, or its own complaint.
    #[track_caller]
    pub fn fresh(cache: &Path) -> Self {
        assert!(is_root(), "a Debian root can only be made by root: run these tests as root");
        let archive = cache.join(format!("debian-12-{}-{PACKAGES}.tar", std::env::consts::ARCH));
        std::fs::create_dir_all(cache).expect("the cache folder");
        let lock = std::fs::File::create(cache.join("debian.lock")).expect("a lock file");
        lock.lock().expect("a lock");
        if !archive.exists() {
            make(&archive);
        }
        drop(lock);
        let folder = TempDir::new().expect("a temporary folder");
        Tool::new("tar").args(["--numeric-owner", "-xpf"]).arg(&archive).arg("-C").arg(folder.path()).run();
        std::fs::set_permissions(folder.path(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        Self { folder }
    }

    /// The folder that is its `/`.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Copies a file into it; the path is from its root on.
    pub fn put(&self, file: &Path, at: &str) {
        let target = self.path().join(at.trim_start_matches('/'));
        std::fs::create_dir_all(target.parent().unwrap()).unwrap();
        std::fs::copy(file, target).unwrap();
    }

    /// A command in it while its systemd does not run; what it starts ends with it.
    pub fn command(&self) -> Command {
        let mut command = Command::new("unshare");
        command.args(["--mount", "--pid", "--net", "--fork", "--kill-child", "sh", "-euc", ALONE, "alone"]);
        command.arg(self.path());
        command
    }

    /// Runs a command in it to its end, while its systemd does not run.
    pub fn tool(&self) -> Tool {
        Tool::of("unshare", self.command()).patience(PATIENCE)
    }

    /// Starts its systemd and waits until it is up. `script` is the one that boots.
    #[track_caller]
    pub fn boot(self, script: &Path) -> Booted {
        let cgroup = cgroup_file_system().join(self.path().file_name().unwrap());
        std::fs::create_dir(&cgroup).expect("a control group of its own");
        let log = self.path().with_extension("boot-log");
        let mut command = Command::new(script);
        command.arg(self.path()).arg(&cgroup).stdout(Stdio::null());
        let process = Process::start("systemd", &mut command, &log);
        let children = format!("/proc/{0}/task/{0}/children", process.id());
        let first = crate::eventually("the first process is there", BOOTED, || {
            let children = std::fs::read_to_string(&children).unwrap_or_default();
            children.split_whitespace().next().map(str::to_owned)
        });
        let booted = Booted { process, cgroup, first, debian: self };
        crate::eventually("systemd has booted", BOOTED, || {
            // Entering fails as long as the script still builds the place.
            let said = booted.tool("systemctl").args(["is-system-running"]).run_any();
            ["running", "degraded"].contains(&said.output.trim()).then_some(())
        });
        let _ = std::fs::remove_file(log);
        booted
    }
}

impl Booted {
    /// Its root folder.
    pub fn debian(&self) -> &Debian {
        &self.debian
    }

    /// A program of its own, run in it.
    pub fn tool(&self, program: &str) -> Tool {
        let all = ["-m", "-p", "-n", "-u", "-i", "-C", "-r", "-w", "--", "env", "-i"];
        let path = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";
        Tool::new("nsenter").args(["-t", &self.first]).args(all).args([path, program]).patience(PATIENCE)
    }

    /// A program of the host's, run in its network: a client.
    pub fn client(&self, program: &str) -> Tool {
        Tool::new("nsenter").args(["-t", &self.first, "-n", "--", program])
    }
}

impl Drop for Booted {
    fn drop(&mut self) {
        self.process.kill();
        remove_cgroup(&self.cgroup);
    }
}

/// Removes a control group and those below it. Killed processes leave theirs a moment later.
fn remove_cgroup(folder: &Path) {
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        if entry.path().is_dir() {
            remove_cgroup(&entry.path());
        }
    }
    let end = std::time::Instant::now() + Duration::from_secs(5);
    while std::fs::remove_dir(folder).is_err() && folder.exists() && std::time::Instant::now() < end {
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Where the host has its cgroup2 file system.
#[track_caller]
fn cgroup_file_system() -> PathBuf {
    let mounts = std::fs::read_to_string("/proc/self/mounts").expect("the list of mounts");
    let found = mounts.lines().find_map(|line| match line.split(' ').collect::<Vec<_>>().as_slice() {
        [_, at, "cgroup2", ..] => Some(PathBuf::from(at)),
        _ => None,
    });
    found.expect("a mounted cgroup2 file system: mount -t cgroup2 none FOLDER")
}

/// Makes the archive all roots are unpacked from. A rename ends it, so half of one is never taken for whole.
#[track_caller]
fn make(archive: &Path) {
    let folder = TempDir::new().expect("a temporary folder");
    let root = folder.path().join("root");
    Tool::new("debootstrap")
        .args(["--variant=minbase", &format!("--include={PACKAGES}"), "bookworm"])
        .arg(&root)
        .arg(mirror())
        .patience(MAKING)
        .run();
    let half = archive.with_extension("half");
    let superfluous =
        ["./var/cache/apt/archives/*.deb", "./var/lib/apt/lists/*", "./usr/share/doc/*", "./usr/share/man/*"];
    Tool::new("tar")
        .args(superfluous.map(|path| format!("--exclude={path}")))
        .args(["--numeric-owner", "-cf"])
        .arg(&half)
        .arg("-C")
        .arg(&root)
        .arg(".")
        .run();
    std::fs::rename(half, archive).unwrap();
}

/// The Debian mirror this machine's apt uses.
fn mirror() -> String {
    let said = Command::new("apt-get")
        .args(["indextargets", "--format", "$(CODENAME) $(COMPONENT) $(REPO_URI)", "Created-By: Packages"])
        .output();
    let said = said.map(|said| String::from_utf8_lossy(&said.stdout).into_owned()).unwrap_or_default();
    let used = said.lines().find_map(|line| line.strip_prefix("bookworm main ")).map(str::to_owned);
    used.unwrap_or_else(|| "http://deb.debian.org/debian".to_owned())
}

/// Runs the arguments behind the root folder in it, with loopback and `/proc` alone.
const ALONE: &str = "
root=$1
shift
ip link set lo up
mount --make-rprivate /
mount -t proc proc \"$root/proc\"
mount --bind /dev \"$root/dev\"
exec chroot \"$root\" env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \"$@\"
";
