//! A child process that never outlives the value that started it.

use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use rand::Rng;

/// Lines of a log shown when a test fails.
const LOG_TAIL: usize = 60;

/// A running program whose errors go to a log file. Dropped, it is killed; dropped by a failing test, it shows the
/// end of its log first.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

impl Process {
    /// Starts `command`, with its standard error going to the end of `log`.
    pub fn start(name: &str, command: &mut Command, log: &Path) -> Self {
        let file = std::fs::File::options().create(true).append(true).open(log).expect("a log file");
        let child = command.stdin(Stdio::null()).stderr(file).spawn().unwrap_or_else(|e| panic!("{name}: {e}"));
        Self { name: name.to_owned(), child, log: log.to_owned() }
    }

    /// The process's number.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("a child of ours")
    }

    /// Waits for its end.
    #[track_caller]
    pub fn wait(&mut self, patience: Duration) -> ExitStatus {
        let name = self.name.clone();
        crate::eventually(&format!("{name} ends"), patience, || self.ended())
    }

    /// Ends it at once, as a power cut would (`SIGKILL`), and waits until it is gone.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends a signal by name (`INT`, `TERM`, `STOP`).
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill").args([&format!("-{name}"), &self.id().to_string()]).status();
        assert!(status.is_ok_and(|s| s.success()), "kill -{name} {}", self.id());
    }

    /// Memory in its hands now (`VmRSS`), in KiB, its children's not counted.
    pub fn resident_kib(&self) -> u64 {
        resident_kib(self.id())
    }

    /// The first line of its standard output, which must have been piped. What follows is read and thrown away.
    #[track_caller]
    pub fn first_line(&mut self, patience: Duration) -> String {
        let output = self.child.stdout.take().expect("standard output is piped");
        let (give, take) = mpsc::channel();
        std::thread::spawn(move || {
            let mut reader = BufReader::new(output);
            let mut line = String::new();
            let _ = reader.read_line(&mut line);
            let _ = give.send(line);
            let _ = std::io::copy(&mut reader.by_ref(), &mut std::io::sink());
        });
        let line = take.recv_timeout(patience).unwrap_or_default();
        assert!(line.ends_with('\n'), "{} did not say its first line within {patience:?}\n{}", self.name, self.tail());
        line
    }

    /// Waits until something listens at this port of 127.0.0.1.
    #[track_caller]
    pub fn wait_for_port(&mut self, port: u16, patience: Duration) {
        self.wait_for_address((Ipv4Addr::LOCALHOST, port).into(), patience);
    }

    /// Waits until something listens at this address.
    #[track_caller]
    pub fn wait_for_address(&mut self, address: SocketAddr, patience: Duration) {
        let end = Instant::now() + patience;
        while std::net::TcpStream::connect(address).is_err() {
            let ended = self.ended();
            assert!(ended.is_none(), "{} ended before it listened: {ended:?}\n{}", self.name, self.tail());
            assert!(Instant::now() < end, "{} does not listen on {address}\n{}", self.name, self.tail());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The last lines of its log.
    pub fn tail(&self) -> String {
        let text = String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned();
        let lines: Vec<&str> = text.lines().collect();
        let from = lines.len().saturating_sub(LOG_TAIL);
        format!("--- the end of {}'s log ---\n{}\n---", self.name, lines[from..].join("\n"))
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("{}", self.tail());
        }
        self.kill();
    }
}

/// Memory in a process's hands now (`VmRSS`), in KiB.
pub fn resident_kib(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap_or("0 kB");
    line.trim().trim_end_matches(" kB").trim().parse().unwrap_or(0)
}

/// Memory of a process and all its descendants, in KiB: the sum of their proportional sets (`Pss`), in which a page that
/// several share counts once.
pub fn proportional_tree_kib(process: u32) -> u64 {
    let rollup = std::fs::read_to_string(format!("/proc/{process}/smaps_rollup")).unwrap_or_default();
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).unwrap_or("0 kB");
    let own: u64 = line.trim().trim_end_matches(" kB").trim().parse().unwrap_or(0);
    let tasks = std::fs::read_dir(format!("/proc/{process}/task")).into_iter().flatten().flatten();
    let lists = tasks.filter_map(|task| std::fs::read_to_string(task.path().join("children")).ok());
    let children: Vec<u32> = lists.flat_map(|list| numbers(&list)).collect();
    own + children.into_iter().map(proportional_tree_kib).sum::<u64>()
}

fn numbers(list: &str) -> Vec<u32> {
    list.split_whitespace().filter_map(|number| number.parse().ok()).collect()
}

/// A loopback port nobody listens on at this moment. It is below those the system gives to whoever asks for any, so that
/// neither a connection going out nor a listener on port 0 takes it in the meantime; no port is given twice.
pub fn free_port() -> u16 {
    static GIVEN: std::sync::Mutex<Vec<u16>> = std::sync::Mutex::new(Vec::new());
    let mut given = GIVEN.lock().expect("nobody fails while holding it");
    let mut tries = std::iter::repeat_with(|| rand::random_range(10_000..32_000)).take(1_000);
    let free = |port: &u16| !given.contains(port) && std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok();
    let port = tries.find(free).expect("a free port");
    given.push(port);
    port
}

/// A loopback address that nobody is likely to use: for services whose port is fixed.
pub fn loopback_address() -> Ipv4Addr {
    let mut random = rand::rng();
    Ipv4Addr::new(127, random.random_range(64..250), random.random(), random.random_range(1..255))
}

/// True when the tests run as root.
pub fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    std::fs::metadata("/proc/self").is_ok_and(|m| m.uid() == 0)
}
