//! Somebody else's program, run to its end.

use std::ffi::OsStr;
use std::io::{Read, Write};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// No client needs longer for what the tests ask of it.
const PATIENCE: Duration = Duration::from_secs(60);

/// A command being put together.
#[derive(Debug)]
pub struct Tool {
    name: String,
    command: Command,
    input: Vec<u8>,
    patience: Duration,
}

/// What a program said, and how it ended.
#[derive(Debug, Clone)]
pub struct Said {
    /// The command, for messages.
    pub command: String,
    /// Exit status; -1 when it was ended by a signal.
    pub status: i32,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
}

impl Tool {
    /// A program found by name in `PATH`, or by path.
    pub fn new(program: impl AsRef<OsStr>) -> Self {
        let name = program.as_ref().to_string_lossy().into_owned();
        Self::of(&name, Command::new(program))
    }

    /// A command that is half put together already, by its name in messages.
    pub fn of(name: &str, command: Command) -> Self {
        Self { name: name.to_owned(), command, input: Vec::new(), patience: PATIENCE }
    }

    /// One argument.
    pub fn arg(mut self, argument: impl AsRef<OsStr>) -> Self {
        self.command.arg(argument);
        self
    }

    /// Several arguments.
    pub fn args<S: AsRef<OsStr>>(mut self, arguments: impl IntoIterator<Item = S>) -> Self {
        self.command.args(arguments);
        self
    }

    /// An environment variable.
    pub fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.command.env(name, value);
        self
    }

    /// The folder it takes for its user's home, so that no test reads a person's own settings.
    pub fn home(self, folder: &Path) -> Self {
        self.env("HOME", folder).env("XDG_CONFIG_HOME", folder)
    }

    /// Its standard input.
    pub fn input(mut self, bytes: impl Into<Vec<u8>>) -> Self {
        self.input = bytes.into();
        self
    }

    /// How long it may run.
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// Runs it and demands success.
    ///
    /// # Panics
    /// When it fails; the message has all it said.
    #[track_caller]
    pub fn run(self) -> Said {
        let said = self.run_any();
        assert!(said.status == 0, "{said}");
        said
    }

    /// Runs it, whatever comes of it.
    ///
    /// # Panics
    /// When it can't be started or does not end in time.
    #[track_caller]
    pub fn run_any(mut self) -> Said {
        let shown = format!("{:?}", self.command);
        self.command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.command.spawn().unwrap_or_else(|e| {
            panic!("{}: {e} (tests/run installs what the tests need when it is root on Debian)", self.name)
        });
        let (mut stdin, input) = (child.stdin.take().unwrap(), std::mem::take(&mut self.input));
        let feeding = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let output = read_aside(child.stdout.take().unwrap());
        let errors = read_aside(child.stderr.take().unwrap());
        let end = Instant::now() + self.patience;
        let status = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            if Instant::now() > end {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            std::thread::sleep(Duration::from_millis(10));
        };
        let _ = feeding.join();
        let (output, errors) = (output.join().unwrap(), errors.join().unwrap());
        let said = Said { command: shown, status: status.and_then(|s| s.code()).unwrap_or(-1), output, errors };
        assert!(status.is_some(), "did not end within {:?}\n{said}", self.patience);
        said
    }
}

impl std::fmt::Display for Said {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} ended with {}\n--- it printed ---\n{}\n--- and to standard error ---\n{}\n---",
            self.command, self.status, self.output, self.errors
        )
    }
}

fn read_aside(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
