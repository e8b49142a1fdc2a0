//! Debian's chromedriver and one session of it: `WebDriver` commands as JSON over plain HTTP.

use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;

use crate::process::{Process, free_port};
use crate::{Http, Wire};

/// Starting takes under a second on a machine that does nothing else.
const READY: Duration = Duration::from_secs(60);
/// The member that names an element in JSON (W3C `WebDriver` 12.1).
const ELEMENT: &str = "element-6066-11e4-a52e-4f735466cecf";

/// A browser with a profile of its own. Dropped, it ends and its folder is removed.
#[derive(Debug)]
pub(super) struct Driver {
    _process: Process,
    port: u16,
    session: String,
    _folder: TempDir,
}

/// Why a command was not done.
#[derive(Debug, Clone)]
pub struct Refusal {
    /// The kind of error, as `WebDriver` names it.
    pub error: String,
    /// The driver's own words.
    pub message: String,
}

impl Refusal {
    /// True when the page was only not ready: the thing may exist, or be in reach, a moment later.
    pub(super) fn may_pass(&self) -> bool {
        const PASSING: [&str; 5] = [
            "no such element",
            "stale element reference",
            "element click intercepted",
            "element not interactable",
            "detached shadow root",
        ];
        PASSING.contains(&self.error.as_str())
    }
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let first = self.message.lines().next().unwrap_or_default();
        write!(f, "{}: {first}", self.error)
    }
}

impl Driver {
    /// Starts the driver and, through it, a browser that reaches nothing but loopback.
    #[track_caller]
    pub(super) fn start(javascript: bool) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let port = free_port();
        let mut command = Command::new("chromedriver");
        command.arg(format!("--port={port}")).env("TMPDIR", folder.path()).stdout(Stdio::null());
        let mut process = Process::start("chromedriver", &mut command, &folder.path().join("log"));
        process.wait_for_port(port, READY);
        let mut driver = Self { _process: process, port, session: String::new(), _folder: folder };
        let capabilities = capabilities(driver._folder.path(), javascript);
        let made = driver.ask("POST", "/session", &json!({ "capabilities": { "alwaysMatch": capabilities } }));
        let made = made.unwrap_or_else(|refusal| panic!("no browser: {refusal}\n{}", driver._process.tail()));
        driver.session = format!("/session/{}", made["sessionId"].as_str().expect("a session"));
        driver
    }

    /// Sends a command with parameters to this path of the session.
    pub(super) fn post(&self, path: &str, parameters: &Value) -> Result<Value, Refusal> {
        self.ask("POST", &format!("{}/{path}", self.session), parameters)
    }

    /// Asks something of the session.
    pub(super) fn get(&self, path: &str) -> Result<Value, Refusal> {
        self.ask("GET", &format!("{}/{path}", self.session), &Value::Null)
    }

    /// Takes something away from the session.
    pub(super) fn delete(&self, path: &str) -> Result<Value, Refusal> {
        self.ask("DELETE", &format!("{}{path}", self.session), &Value::Null)
    }

    /// A command of the browser's own protocol (CDP), for what `WebDriver` lacks.
    #[track_caller]
    pub(super) fn browser(&self, command: &str, parameters: &Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.post("goog/cdp/execute", &body).unwrap_or_else(|refusal| panic!("{command}: {refusal}"))
    }

    /// All elements of the page that a CSS selector finds, in their order.
    pub(super) fn elements(&self, css: &str) -> Result<Vec<String>, Refusal> {
        let found = self.post("elements", &json!({ "using": "css selector", "value": css }))?;
        let ids = found.as_array().into_iter().flatten().filter_map(|one| one[ELEMENT].as_str());
        Ok(ids.map(str::to_owned).collect())
    }

    fn ask(&self, method: &str, path: &str, body: &Value) -> Result<Value, Refusal> {
        let answer = self.exchange(method, path, body).unwrap_or_else(|e| panic!("chromedriver, {method} {path}: {e}"));
        let value = answer["value"].clone();
        match value["error"].as_str() {
            Some(error) => {
                let message = value["message"].as_str().unwrap_or_default().to_owned();
                Err(Refusal { error: error.to_owned(), message })
            }
            None => Ok(value),
        }
    }

    /// One request on a connection of its own.
    fn exchange(&self, method: &str, path: &str, body: &Value) -> std::io::Result<Value> {
        let body = if body.is_null() { String::new() } else { body.to_string() };
        let wire = Wire::connect_from(std::net::Ipv4Addr::LOCALHOST, self.port)?;
        let headers = [("Content-Type", "application/json"), ("Connection", "close")];
        let mut http = Http::new(wire, &format!("127.0.0.1:{}", self.port));
        Ok(serde_json::from_slice(&http.request(method, path, &headers, body.as_bytes())?.body)?)
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        // Killed alone, the driver would leave its browser behind.
        if !self.session.is_empty() {
            let path = self.session.clone();
            let _ = self.exchange("DELETE", &path, &Value::Null);
        }
    }
}

fn capabilities(folder: &Path, javascript: bool) -> Value {
    let mut arguments = vec![
        "--headless=new".to_owned(),
        "--disable-gpu".to_owned(),
        "--disable-dev-shm-usage".to_owned(),
        "--disable-background-networking".to_owned(),
        "--no-first-run".to_owned(),
        "--no-proxy-server".to_owned(),
        "--lang=en".to_owned(),
        // Every name is this machine, and no test reaches another.
        "--host-resolver-rules=MAP * 127.0.0.1".to_owned(),
        format!("--user-data-dir={}", folder.join("profile").display()),
    ];
    if crate::process::is_root() {
        arguments.push("--no-sandbox".to_owned());
    }
    if !javascript {
        arguments.push("--blink-settings=scriptEnabled=false".to_owned());
    }
    json!({
        "browserName": "chrome",
        "acceptInsecureCerts": true,
        "goog:loggingPrefs": { "browser": "ALL" },
        "goog:chromeOptions": { "args": arguments },
    })
}
