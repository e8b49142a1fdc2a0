//! `install.sh` in a fresh Debian: with its systemd running, and without; with a free port 25, and with a taken one.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use mailstead_tests::debian::{Booted, Debian};
use mailstead_tests::process::Process;
use mailstead_tests::tool::Said;
use mailstead_tests::{Tool, eventually};

use crate::MAILSTEAD;

const SOON: Duration = Duration::from_secs(60);
/// The only capability: CAP_NET_BIND_SERVICE, number 10.
const BIND_LOW_PORTS: &str = "0000000000000400";
/// The exposure `systemd-analyze security` may find at most, in tenths.
const EXPOSURE: &str = "--threshold=20";
const PASSWORD: &str = "alice's-secret";

fn checkout(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(file)
}

/// A fresh Debian with the installer and the program in /root/new.
fn debian() -> Debian {
    let debian = Debian::fresh(Path::new(env!("CARGO_TARGET_TMPDIR")));
    debian.put(&checkout("install.sh"), "/root/new/install.sh");
    debian.put(MAILSTEAD.as_ref(), "/root/new/mailstead");
    debian
}

fn booted() -> Booted {
    debian().boot(&checkout("tests/appliance/scripts/boot_debian.sh"))
}

fn install(booted: &Booted, arguments: &[&str]) -> Said {
    booted.tool("/root/new/install.sh").args(arguments).run_any()
}

#[track_caller]
fn demand(said: &Said, status: i32, parts: &[&str]) {
    assert_eq!(said.status, status, "{said}");
    let all = format!("{}{}", said.output, said.errors);
    for part in parts {
        assert!(all.contains(part), "{part:?} is missing: {said}");
    }
}

/// What `systemctl show` says of the service.
fn property(booted: &Booted, name: &str) -> String {
    booted.tool("systemctl").args(["show", "-P", name, "mailstead"]).run().output.trim().to_owned()
}

/// A line of `/proc/PID/status` of the running server.
fn process_status(booted: &Booted) -> String {
    let file = format!("/proc/{}/status", property(booted, "MainPID"));
    booted.tool("cat").args([file]).run().output
}

#[track_caller]
fn banner(client: Tool) {
    let said = client.args(["-c", "exec 3<>/dev/tcp/127.0.0.1/25 && head -n 1 <&3"]).run();
    assert!(said.output.starts_with("220 mail.example.org ESMTP"), "{said}");
}

/// Everything that installing could touch: names, owners, modes, sizes and times.
fn files(booted: &Booted) -> String {
    let folders = ["/etc", "/usr/local", "/usr/bin", "/var/lib", "/opt", "/root"];
    booted.tool("find").args(folders).args(["-printf", "%p %u:%g %m %s %T@\n"]).run().output
}

/// True when alice finds a letter of that subject in her INBOX.
fn finds(booted: &Booted, subject: &str) -> bool {
    let user = format!("alice@example.org:{PASSWORD}");
    let client = booted.client("curl").args(["-sk", "--max-time", "20", "-u", &user, "imaps://127.0.0.1/INBOX"]);
    let said = client.args(["-X", &format!("SEARCH SUBJECT \"{subject}\"")]).run();
    said.output.starts_with("* SEARCH 1") || said.output.starts_with("* SEARCH 2")
}

/// Alice writes to herself over TLS.
#[track_caller]
fn send(booted: &Booted, subject: &str) {
    let client = booted.client("swaks").args(["--server", "127.0.0.1:465", "--tls-on-connect", "--auth", "PLAIN"]);
    let client = client.args(["--auth-user", "alice@example.org", "--auth-password", PASSWORD, "--silent", "2"]);
    let client = client.args(["--from", "alice@example.org", "--to", "alice@example.org"]);
    client.args(["--header", &format!("Subject: {subject}")]).run();
}

#[test]
fn a_fresh_debian_gets_a_server_is_brought_up_to_date_and_keeps_the_mail_when_it_goes() {
    let booted = booted();
    let untouched = files(&booted);
    let said = install(&booted, &["--dry-run", "--hostname", "mail.example.org"]);
    demand(
        &said,
        0,
        &["make the system user mailstead", "/var/lib/mailstead", "start the service", "Nothing was changed"],
    );
    // With somebody at a terminal, it asks.
    let asked = booted.tool("script").args(["-qec", "/root/new/install.sh --dry-run", "/dev/null"]);
    let said = asked.input("mail.example.com\n").run();
    demand(&said, 0, &["Host name", "for the host name mail.example.com"]);
    assert_eq!(files(&booted), untouched, "a dry run changes nothing");

    let said = install(&booted, &["--hostname", "mail.example.org"]);
    demand(&said, 0, &["Open this address in your browser:\n  https://", "/setup/"]);
    it_runs_as_nobody_of_importance(&booted);
    people_use_it(&booted);
    the_watchdog_and_a_crash_start_it_anew(&booted);
    it_is_brought_up_to_date(&booted);
    a_stopped_one_is_managed_by_root_and_stays_stopped(&booted);
    it_goes_and_leaves_the_mail(&booted);
}

fn it_runs_as_nobody_of_importance(booted: &Booted) {
    assert_eq!(property(booted, "ActiveState"), "active");
    assert_eq!(property(booted, "StatusText"), "Serving mail as mail.example.org");
    booted.tool("systemd-analyze").args(["verify", "mailstead.service"]).run();
    booted.tool("systemd-analyze").args(["security", "--no-pager", EXPOSURE, "mailstead.service"]).run();
    let status = process_status(booted);
    let line = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default().trim();
    for set in ["CapPrm:", "CapEff:", "CapBnd:", "CapAmb:"] {
        assert_eq!(line(set), BIND_LOW_PORTS, "{set}\n{status}");
    }
    assert_eq!((line("NoNewPrivs:"), line("Seccomp:")), ("1", "2"), "{status}");
    assert!(!line("Uid:").starts_with("0\t"), "{status}");
    let owners =
        booted.tool("stat").args(["-c", "%U:%G %a", "/var/lib/mailstead", "/etc/mailstead/mailstead.toml"]).run();
    assert_eq!(owners.output, "mailstead:mailstead 700\nroot:mailstead 640\n");
}

fn people_use_it(booted: &Booted) {
    banner(booted.tool("bash"));
    let before = property(booted, "MainPID");
    booted.tool("systemctl").args(["reload", "mailstead"]).run();
    assert_eq!(property(booted, "MainPID"), before);
    booted.tool("mailstead").args(["domain", "add", "example.org"]).run();
    booted.tool("mailstead").args(["account", "add", "alice@example.org"]).input(format!("{PASSWORD}\n")).run();
    send(booted, "the first letter");
    assert!(finds(booted, "the first letter"));
    assert!(!finds(booted, "the second letter"));
}

fn the_watchdog_and_a_crash_start_it_anew(booted: &Booted) {
    let wait_for_another = |before: &str| {
        eventually("another process serves", SOON, || {
            let now = property(booted, "MainPID");
            (now != before && now != "0" && property(booted, "ActiveState") == "active").then_some(())
        });
    };
    let first = property(booted, "MainPID");
    signal(booted, "KILL", &first);
    wait_for_another(&first);

    // A short patience of systemd's, for this test: it must be told in time, and must notice when it is not.
    let drop_in = "mkdir -p /run/systemd/system/mailstead.service.d && printf '[Service]\\nWatchdogSec=4s\\n' \
                   >/run/systemd/system/mailstead.service.d/short.conf && systemctl daemon-reload && \
                   systemctl restart mailstead";
    booted.tool("sh").args(["-c", drop_in]).run();
    let second = property(booted, "MainPID");
    let told = || property(booted, "WatchdogTimestampMonotonic");
    let begun = told();
    eventually("the watchdog is told twice that the server lives", SOON, || {
        let later = told();
        (later != begun).then_some(later)
    });
    assert_eq!(property(booted, "MainPID"), second);
    signal(booted, "STOP", &second);
    wait_for_another(&second);
    booted.tool("sh").args(["-c", "rm -r /run/systemd/system/mailstead.service.d; systemctl daemon-reload"]).run();
    assert!(finds(booted, "the first letter"));
}

fn signal(booted: &Booted, name: &str, process: &str) {
    booted.tool("sh").args(["-c", &format!("kill -{name} {process}")]).run();
}

fn it_is_brought_up_to_date(booted: &Booted) {
    let before = property(booted, "MainPID");
    booted.tool("sh").args(["-c", "printf '#!/bin/sh\\nexit 1\\n' >/root/broken; chmod 755 /root/broken"]).run();
    let said = install(booted, &["--binary", "/root/broken"]);
    demand(&said, 1, &["does not run on this machine"]);
    assert_eq!(property(booted, "MainPID"), before, "a program that does not run replaces nothing");

    // What stands behind an ELF program's end makes it another file, and no other program.
    booted.tool("sh").args(["-c", "cp /root/new/mailstead /root/old; printf newer >>/root/new/mailstead"]).run();
    let said = install(booted, &[]);
    demand(
        &said,
        0,
        &["bring it up to date", "keep the one before", "leave the configuration", "host name: mail.example.org"],
    );
    assert_ne!(property(booted, "MainPID"), before);
    for (one, other) in [("/root/new/mailstead", ""), ("/root/old", ".previous")] {
        booted.tool("cmp").args([one, &format!("/usr/local/bin/mailstead{other}")]).run();
    }
    assert!(finds(booted, "the first letter"));

    let said = install(booted, &[]);
    demand(&said, 0, &["it is this very program already"]);
    booted.tool("cmp").args(["/root/old", "/usr/local/bin/mailstead.previous"]).run();
}

fn a_stopped_one_is_managed_by_root_and_stays_stopped(booted: &Booted) {
    booted.tool("systemctl").args(["stop", "mailstead"]).run();
    booted.tool("mailstead").args(["domain", "add", "example.net"]).run();
    let of_others = booted.tool("find").args(["/var/lib/mailstead", "!", "-user", "mailstead"]).run();
    assert_eq!(of_others.output, "", "what root makes belongs to the server");
    demand(&install(booted, &[]), 0, &["leave the service stopped", "systemctl start mailstead"]);
    assert_eq!(property(booted, "ActiveState"), "inactive");
    booted.tool("systemctl").args(["start", "mailstead"]).run();
    send(booted, "the second letter");
}

fn it_goes_and_leaves_the_mail(booted: &Booted) {
    demand(&install(booted, &["--uninstall"]), 0, &["What is left:", "/var/lib/mailstead", "/etc/mailstead"]);
    let gone =
        ["/usr/local/bin/mailstead", "/usr/local/bin/mailstead.previous", "/etc/systemd/system/mailstead.service"];
    for file in gone {
        assert!(!booted.debian().path().join(file.trim_start_matches('/')).exists(), "{file}");
    }
    assert_eq!(property(booted, "ActiveState"), "inactive");
    demand(&install(booted, &["--uninstall"]), 1, &["is not installed"]);

    demand(&install(booted, &[]), 0, &["leave all mail in /var/lib/mailstead", "host name: mail.example.org"]);
    assert!(finds(booted, "the first letter") && finds(booted, "the second letter"));
}

#[test]
fn whoever_holds_a_port_is_named_with_the_command_that_stops_it() {
    let booted = booted();
    let other =
        "[Service]\nExecStart=/usr/bin/systemd-socket-activate -l 25 /bin/cat\n[Install]\nWantedBy=multi-user.target\n";
    std::fs::write(booted.debian().path().join("etc/systemd/system/othermail.service"), other).unwrap();
    booted.tool("systemctl").args(["enable", "--now", "othermail"]).run();
    eventually("the other program listens", SOON, || {
        let said = booted.tool("cat").args(["/proc/net/tcp", "/proc/net/tcp6"]).run();
        said.output.contains(":0019 ").then_some(())
    });

    let firewall = "#!/bin/sh\necho 'Status: active'\n";
    std::fs::write(booted.debian().path().join("usr/local/sbin/ufw"), firewall).unwrap();
    booted.tool("chmod").args(["755", "/usr/local/sbin/ufw"]).run();

    let command = "systemctl disable --now othermail.service";
    let said = install(&booted, &["--hostname", "mail.example.org"]);
    demand(&said, 3, &["start nothing yet", "Port 25 is taken by systemd-socket-", command, "run this again"]);
    assert_eq!(property(&booted, "ActiveState"), "inactive");

    booted.tool("sh").args(["-c", command]).run();
    demand(&install(&booted, &[]), 0, &["Mailstead runs", "ufw allow 25,80,110,143,443,465,587,993,995/tcp"]);
    banner(booted.tool("bash"));
}

#[test]
fn where_systemd_does_not_run_it_installs_and_the_command_it_names_starts_the_server() {
    let debian = debian();
    let arguments = ["/root/new/install.sh", "--hostname", "mail.example.org", "--prefix", "/opt/mailstead"];
    let said = debian.tool().args(arguments).run();
    demand(&said, 0, &["systemd does not run here", "systemctl enable --now mailstead", "https://mail.example.org/"]);
    let unit = std::fs::read_to_string(debian.path().join("etc/systemd/system/mailstead.service")).unwrap();
    assert!(unit.contains("\nExecStart=/opt/mailstead/bin/mailstead serve\n"), "{unit}");

    let from = said.output.find("setpriv").expect("a command");
    let named = said.output[from..].split("\nThen").next().unwrap().to_owned();
    let log = debian.path().join("log");
    let mut command = debian.command();
    command.args(["sh", "-c", &("exec ".to_owned() + named.trim())]).stdout(Stdio::null());
    let process = Process::start("mailstead serve", &mut command, &log);
    let ready = || std::fs::read_to_string(&log).unwrap_or_default().contains("mailstead is ready");
    eventually("the server is ready", SOON, || ready().then_some(()));
    let inner = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", process.id())).unwrap();
    banner(Tool::new("nsenter").args(["-t", inner.trim(), "-n", "--", "bash"]));
    let status = std::fs::read_to_string(format!("/proc/{}/status", inner.trim())).unwrap();
    assert!(status.contains(&format!("CapEff:\t{BIND_LOW_PORTS}\n")), "{status}");
    assert!(!status.contains("Uid:\t0\t"), "{status}");
}

#[test]
fn in_a_checkout_it_builds_the_program_first_as_the_user_whose_checkout_it_is() {
    let debian = debian();
    // A toolchain that has compiled already.
    let cargo = "#!/bin/sh\n[ \"$1 $2 $3 $4\" = 'build --release --locked --target-dir' ] || exit 1\n\
                 mkdir -p \"$5/release\" && cp /srv/compiled \"$5/release/mailstead\" && id -un >\"$5/by\"\n";
    std::fs::write(debian.path().join("usr/local/bin/cargo"), cargo).unwrap();
    let prepare = "chmod 755 /usr/local/bin/cargo; useradd -m builder; mv /root/new/mailstead /srv/compiled
        mv /root/new /home/builder/checkout; touch /home/builder/checkout/Cargo.toml; chown -R builder /home/builder";
    debian.tool().args(["sh", "-euc", prepare]).run();
    let installer = "cd / && SUDO_USER=builder exec /home/builder/checkout/install.sh --hostname mail.example.org";
    let said = debian.tool().args(["sh", "-c", installer]).run();
    demand(&said, 0, &["build the program: cargo build --release --locked", "Mailstead is installed"]);
    debian.tool().args(["cmp", "/srv/compiled", "/usr/local/bin/mailstead"]).run();
    let by = std::fs::read_to_string(debian.path().join("home/builder/checkout/target/by")).unwrap();
    assert_eq!(by, "builder\n", "root leaves no files of its own in somebody's checkout");

    std::fs::write(debian.path().join("usr/local/bin/cargo"), "#!/bin/sh\nexit 101\n").unwrap();
    let said = debian.tool().args(["sh", "-c", installer]).run_any();
    demand(&said, 1, &["can't be built; nothing was changed"]);
}

#[test]
fn mistakes_on_its_command_line_are_named_and_help_is_there() {
    let run = |arguments: &[&str]| Tool::new(checkout("install.sh")).args(arguments).run_any();
    demand(&run(&["--help"]), 0, &["--hostname NAME", "--dry-run", "--prefix DIR", "--uninstall", "--binary FILE"]);
    demand(&run(&["--fast"]), 1, &["--fast is not known here"]);
    demand(&run(&["--binary"]), 1, &["--binary needs a value"]);
    demand(&run(&["--prefix", "here"]), 1, &["full path"]);
    demand(&run(&["--prefix", "/home/alice"]), 1, &["hidden from the service"]);
    demand(
        &run(&["--dry-run", "--prefix", "/opt/nowhere", "--hostname", "mail"]),
        1,
        &["only the first part of a name"],
    );
    demand(&run(&["--dry-run", "--prefix", "/opt/nowhere", "--hostname", "a b.org\""]), 1, &["is not a host name"]);
    demand(
        &run(&["--dry-run", "--prefix", "/opt/nowhere", "--hostname", "m.example.org", "--binary", "/nowhere"]),
        1,
        &["no such file"],
    );
}

#[test]
fn the_shell_scripts_are_clean() {
    let scripts = ["install.sh", "tests/appliance/scripts/boot_debian.sh"].map(checkout);
    Tool::new("shellcheck").args(["-s", "sh"]).args(&scripts).run();
}
