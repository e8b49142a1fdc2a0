//! The machine the numbers come from.

use std::fs::{self, File};
use std::io::Write;
use std::time::Instant;

use mailstead_tests::Tool;

/// One line about processor, memory, disk and system.
pub(crate) fn describe() -> String {
    let line = |path: &str, key: &str| {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.lines().find_map(|l| l.strip_prefix(key)).unwrap_or("?").trim_start_matches([' ', '\t', ':']).to_owned()
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory: u64 = line("/proc/meminfo", "MemTotal").trim_end_matches(" kB").parse().unwrap_or(0);
    let disk = Tool::new("df").args(["--output=fstype"]).arg(std::env::temp_dir()).run_any().output;
    let version =
        |package: &str| Tool::new("dpkg-query").args(["--show", "--showformat=${Version}", package]).run_any().output;
    format!(
        "{cores} × {}, {} GiB, {} on {}, a synced write of 10 KB takes {:.2} ms; Linux {}, Debian {}, Postfix {}, Dovecot {}.\n",
        line("/proc/cpuinfo", "model name"),
        memory >> 20,
        disk.lines().last().unwrap_or("?").trim(),
        std::env::temp_dir().display(),
        synced_write() * 1e3,
        fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default().trim(),
        fs::read_to_string("/etc/debian_version").unwrap_or_default().trim(),
        version("postfix"),
        version("dovecot-core"),
    )
}

/// Seconds for a write of 10 KB to reach the disk, on average.
fn synced_write() -> f64 {
    let path = std::env::temp_dir().join(format!("bench-{}", std::process::id()));
    let mut file = File::create(&path).expect("a temporary file");
    let began = Instant::now();
    for _ in 0..200 {
        file.write_all(&[7; 10_000]).and_then(|()| file.sync_data()).expect("a synced write");
    }
    let took = began.elapsed().as_secs_f64() / 200.0;
    let _ = fs::remove_file(path);
    took
}
