//! A small HTTP/1.1 client that keeps its connection and its cookies: what a test needs to say exactly what it says.

use std::collections::BTreeMap;
use std::io;

use crate::Wire;

/// A connection to a web server.
#[derive(Debug)]
pub struct Http {
    wire: Wire,
    host: String,
    /// Cookies the server gave, which go back with every request.
    pub cookies: BTreeMap<String, String>,
}

/// What a server answered.
#[derive(Debug, Clone, Default)]
pub struct Answer {
    /// The status, such as 200.
    pub status: u16,
    /// Header fields in their order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Answer {
    /// The first header field of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The token that the page's forms send back.
    pub fn csrf(&self) -> Option<String> {
        let text = self.text();
        let field = text.split("<input").find(|part| part.contains("name=\"csrf\""))?;
        Some(field.split("value=\"").nth(1)?.split('"').next()?.to_owned())
    }
}

impl Http {
    /// Speaks HTTP on this connection, to this host.
    pub fn new(wire: Wire, host: &str) -> Self {
        Self { wire, host: host.to_owned(), cookies: BTreeMap::new() }
    }

    /// Fetches a page.
    ///
    /// # Panics
    /// When no whole answer comes.
    #[track_caller]
    pub fn get(&mut self, path: &str) -> Answer {
        self.request("GET", path, &[], b"").unwrap_or_else(|error| panic!("GET {path}: {error}"))
    }

    /// Sends a form.
    ///
    /// # Panics
    /// When no whole answer comes.
    #[track_caller]
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Answer {
        let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", encoded(value))).collect();
        let kind = ("Content-Type", "application/x-www-form-urlencoded");
        let answer = self.request("POST", path, &[kind], pairs.join("&").as_bytes());
        answer.unwrap_or_else(|error| panic!("POST {path}: {error}"))
    }

    /// Signs in at the web with the form, as a browser does.
    ///
    /// # Panics
    /// When it is not let in.
    #[track_caller]
    pub fn sign_in(&mut self, address: &str, password: &str) {
        let csrf = self.get("/login").csrf().expect("a form");
        let answer = self.post("/login", &[("csrf", &csrf), ("address", address), ("password", password)]);
        assert!(matches!(answer.status, 302 | 303), "{address} is not let in: {}", answer.text());
    }

    /// One request with these further header fields.
    ///
    /// # Errors
    /// The connection broke, or what came is no HTTP.
    pub fn request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> io::Result<Answer> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nContent-Length: {}\r\n", body.len());
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            head += &format!("Host: {}\r\n", self.host);
        }
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        if !cookies.is_empty() {
            head += &format!("Cookie: {}\r\n", cookies.join("; "));
        }
        head.extend(headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")));
        self.wire.try_send((head + "\r\n").as_bytes())?;
        self.wire.try_send(body)?;
        let answer = self.answer()?;
        for (_, cookie) in answer.headers.iter().filter(|(name, _)| name == "set-cookie") {
            let pair = cookie.split(';').next().unwrap_or_default();
            if let Some((name, value)) = pair.split_once('=') {
                self.cookies.insert(name.to_owned(), value.to_owned());
            }
        }
        Ok(answer)
    }

    fn answer(&mut self) -> io::Result<Answer> {
        let first = self.line()?;
        let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
        let mut answer = Answer { status: status.ok_or_else(|| io::Error::other(first))?, ..Answer::default() };
        loop {
            let line = self.line()?;
            match line.split_once(':') {
                Some((name, value)) => answer.headers.push((name.to_ascii_lowercase(), value.trim().to_owned())),
                None => break,
            }
        }
        let length = answer.header("content-length").map(str::parse).transpose().map_err(io::Error::other)?;
        answer.body = self.wire.try_read_exact(length.unwrap_or(0))?;
        Ok(answer)
    }

    fn line(&mut self) -> io::Result<String> {
        let line = self.wire.try_read_line()?.ok_or(io::ErrorKind::UnexpectedEof)?;
        Ok(String::from_utf8_lossy(&line).into_owned())
    }
}

/// As forms send it.
pub fn encoded(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}
