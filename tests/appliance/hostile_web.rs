//! The web against those who wish it ill: strangers, plain users, other sites, and letters that are no words but code.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use mailstead_tests::http::{Answer, encoded};
use mailstead_tests::routes::{self, Route};
use mailstead_tests::{Demo, Http, Letter, Wire, eventually, wait::DELIVERY};

use crate::web::OPERATOR;
use crate::{MAILSTEAD, demo};

const ALICE: &str = "alice@home.test";
const CAROL: &str = "carol@home.test";
const COOKIE: &str = "__Host-mailstead";
const FORM: (&str, &str) = ("Content-Type", "application/x-www-form-urlencoded");
/// What a page must never say as it is: code, or a quotation mark that ends an attribute.
const CODE: [&str; 3] = ["<script>alert(", "<img src=x", "=\"&lt;script&gt;alert(1)&lt;/script&gt;\"'"];

/// What pages may want to know besides their path; the others pass over it.
const QUERY: &str = "?address=family%40home.test&account=alice%40home.test&domain=home.test&id=1";

/// All pages and forms of people.
fn all_routes() -> Vec<Route> {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("web/src");
    let routes = routes::of(&[&source.join("pages"), &source.join("site")]);
    assert!(routes.len() > 10 && routes.iter().any(|route| route.path == "/login"), "{routes:?}");
    routes
}

/// A path that is there, where there can be one, for parameters.
fn filled(path: &str, queued: &str, trace: &str) -> String {
    let sample = match path.split('/').nth(1).unwrap_or_default() {
        "accounts" => ALICE,
        "domains" => "home.test",
        "aliases" => "family@home.test",
        "queue" => queued,
        "activity" => trace,
        _ => "1",
    };
    let parts = path.split('/').map(|part| if part.starts_with('{') { sample } else { part });
    parts.collect::<Vec<_>>().join("/")
}

/// What a person may see and do at their own account.
fn is_everyones(path: &str) -> bool {
    path == "/" || path == "/login" || path.starts_with("/logout") || path == "/me" || path.starts_with("/me/")
}

/// What a stranger may see.
fn is_public(path: &str) -> bool {
    path == "/" || path == "/login" || path.starts_with("/setup")
}

#[track_caller]
fn signed_in(demo: &Demo, address: &str) -> Http {
    let mut web = demo.web("home.test");
    web.sign_in(address, &demo.account(address).password);
    web
}

/// Every answer, whatever it is, is fenced in.
#[track_caller]
fn fenced(path: &str, answer: &Answer) {
    let policy = answer.header("content-security-policy").unwrap_or_default();
    for part in ["default-src 'none'", "script-src 'self'", "base-uri 'none'", "frame-ancestors 'none'"] {
        assert!(policy.contains(part), "{path}: {policy}");
    }
    assert!(!policy.contains("unsafe"), "{path}: {policy}");
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("x-frame-options", "DENY"),
        ("referrer-policy", "same-origin"),
        ("cache-control", "no-store"),
    ] {
        assert_eq!(answer.header(name), Some(value), "{path}: {name} of {}", answer.status);
    }
}

/// A server with something of everything, and the numbers of a queued letter and of a story.
#[track_caller]
fn house() -> (Demo, String, String) {
    let port = mailstead_tests::process::free_port();
    let demo = Demo::start(MAILSTEAD, &["--neighbour", &format!("away.test=127.0.0.1:{port}")]);
    let home = |arguments: &[&str]| demo.command("home.test").args(arguments).run();
    home(&["alias", "add", "family@home.test", ALICE]);
    home(&["app-password", "add", ALICE, "phone"]);
    demo.submission(ALICE).send(ALICE, &["friend@away.test"], &Letter::new(ALICE, ALICE, "away").bytes());
    let queued = eventually("a letter waits", DELIVERY, || {
        let list: serde_json::Value = serde_json::from_str(&home(&["--json", "queue", "list"]).output).unwrap();
        Some((list[0]["id"].as_u64()?.to_string(), list[0]["trace"].as_str()?.to_owned()))
    });
    (demo, queued.0, queued.1)
}

/// All that a form could have changed.
fn state(demo: &Demo) -> Vec<String> {
    let lists = [
        &["account", "list"][..],
        &["alias", "list"],
        &["domain", "list"],
        &["sealer", "list"],
        &["smarthost", "show"],
        &["app-password", "list", ALICE],
        &["app-password", "list", CAROL],
    ];
    let tell = |list: &&[&str]| demo.command("home.test").arg("--json").args(*list).run().output;
    let mut all: Vec<String> = lists.iter().map(tell).collect();
    let queue: serde_json::Value =
        serde_json::from_str(&demo.command("home.test").args(["--json", "queue", "list"]).run().output).unwrap();
    all.push(format!("{} {}", queue[0]["id"], queue[0]["held"]));
    all
}

#[test]
fn every_route_is_closed_to_those_it_is_not_for() {
    let (demo, queued, trace) = house();
    let before = state(&demo);
    let mut nobody = demo.web("home.test");
    let nobodys = nobody.get("/login").csrf().unwrap();
    let mut carol = signed_in(&demo, CAROL);
    let mut operator = signed_in(&demo, OPERATOR);
    let operators = operator.get("/certificates").csrf().unwrap();
    let carols = carol.get("/no-such-page").csrf().expect("her page has a way to sign out");
    for route in all_routes() {
        let path = filled(&route.path, &queued, &trace);
        let asked = format!("{path}{QUERY}");
        if route.get && path != "/events" {
            let answer = nobody.get(&asked);
            fenced(&path, &answer);
            match answer.status {
                303 => assert!(answer.header("location").unwrap().starts_with("/login"), "{path}: {answer:?}"),
                200 => assert!(is_public(&path), "{path} is open to strangers"),
                status => assert!((400..500).contains(&status), "{path}: {status}"),
            }
            let answer = carol.get(&asked);
            fenced(&path, &answer);
            let may = if is_everyones(&path) { answer.status < 500 } else { [403, 404].contains(&answer.status) };
            assert!(may, "{path} for a plain user: {} {}", answer.status, answer.text());
            let answer = operator.get(&asked);
            fenced(&path, &answer);
            let shown = [200, 303, 400, 404, 422].contains(&answer.status);
            assert!(shown, "{path} for an operator: {} {}", answer.status, answer.text());
            let is_page = answer.text().contains("</main>") && !answer.text().contains("deserialize");
            assert!(is_page || answer.status == 303, "{path} speaks to programmers: {}", answer.text());
        }
        if route.post {
            // All that a form could be filled in with, so that it is the sender who is refused, not the form.
            let rest = "hostname=evil.test&domain=evil.test&address=mallory%40home.test&password=mallory-password";
            let token = |token: &str| format!("csrf={token}&{rest}").into_bytes();
            let refused = |known: &Http, headers: &[(&str, &str)], body: &[u8], who: &str| {
                // Where a body was not read, there is no next request on the connection.
                let mut web = demo.web("home.test");
                web.cookies.clone_from(&known.cookies);
                let answer = web.request("POST", &asked, headers, body).unwrap();
                fenced(&path, &answer);
                let no = answer.status == 403 || route.path.starts_with("/setup") && answer.status == 404;
                assert!(no, "POST {path} {who}: {} {}", answer.status, answer.text());
            };
            refused(&nobody, &[FORM], b"", "by nobody without a token");
            if path != "/login" {
                refused(&nobody, &[FORM], &token(&nobodys), "by nobody with a token");
            }
            refused(&carol, &[FORM], b"", "by a plain user without a token");
            if !is_everyones(&path) {
                refused(&carol, &[FORM], &token(&carols), "by a plain user");
            }
            refused(&operator, &[FORM], b"", "without a token");
            refused(&operator, &[FORM], b"csrf=", "with an empty token");
            refused(&operator, &[FORM], &token(&carols), "with another's token");
            refused(&operator, &[FORM], &token(&nobodys), "with a stranger's token");
            refused(&operator, &[FORM, ("Sec-Fetch-Site", "cross-site")], &token(&operators), "from another site");
            refused(&operator, &[FORM, ("Sec-Fetch-Site", "same-site")], &token(&operators), "from a neighbour");
            refused(&operator, &[("Content-Type", "text/plain")], &token(&operators), "as a text");
        }
    }
    assert_eq!(state(&demo), before, "something was changed");
    for (web, whose) in [(&mut operator, "the operator's"), (&mut carol, "the user's")] {
        assert_eq!(web.get("/login").status, 303, "{whose} session has gone on");
    }
}

#[test]
fn a_session_begins_anew_and_its_cookie_is_for_us_alone() {
    let demo = demo();
    let mut web = demo.web("home.test");
    let prepared = "prepared-by-somebody-who-wishes-her-ill-0123".to_owned();
    web.cookies.insert(COOKIE.to_owned(), prepared.clone());
    let csrf = web.get("/login").csrf().unwrap();
    let password = demo.account(OPERATOR).password;
    let form = [("csrf", csrf.as_str()), ("address", OPERATOR), ("password", password.as_str())];
    let answer = web.post("/login", &form);
    assert_eq!(answer.status, 303, "{}", answer.text());
    let set = answer.header("set-cookie").unwrap();
    let parts: Vec<&str> = set.split("; ").collect();
    assert!(parts[0].starts_with(&format!("{COOKIE}=")) && parts[0].len() > 40, "{set}");
    for flag in ["Path=/", "HttpOnly", "Secure"] {
        assert!(parts.contains(&flag), "{set}");
    }
    assert!(parts.contains(&"SameSite=Lax") || parts.contains(&"SameSite=Strict"), "{set}");
    assert!(!set.to_ascii_lowercase().contains("domain"), "{set}");
    assert_ne!(web.cookies[COOKIE], prepared);
    assert_eq!(web.get("/certificates").status, 200);
    let token = web.cookies[COOKIE].clone();
    let with = |cookie: &str| {
        let mut web = demo.web("home.test");
        web.cookies.insert(COOKIE.to_owned(), cookie.to_owned());
        web.get("/certificates").status
    };
    assert_eq!(with(&token), 200);
    assert_eq!(with(&prepared), 303);
    for guess in ["", "x", &token[1..], &token.to_lowercase(), &"x".repeat(8_000), &format!("{token}x")] {
        assert_ne!(with(guess), 200, "{guess:.50}");
    }
    // Signed out, the token opens nothing any more, and neither does one of a password that was changed.
    let csrf = web.get("/certificates").csrf().unwrap();
    assert_eq!(web.post("/logout", &[("csrf", &csrf)]).status, 303);
    assert_eq!(with(&token), 303);
    let second = signed_in(&demo, OPERATOR).cookies[COOKIE].clone();
    assert_eq!(with(&second), 200);
    demo.command("home.test").args(["account", "passwd", OPERATOR]).input("a new password\n").run();
    assert_eq!(with(&second), 303);
}

#[test]
fn an_app_password_opens_no_page() {
    let demo = demo();
    let said = demo.command("home.test").args(["--json", "app-password", "add", OPERATOR, "phone"]).run();
    let made: serde_json::Value = serde_json::from_str(&said.output).unwrap();
    let mut web = demo.web("home.test");
    let csrf = web.get("/login").csrf().unwrap();
    let form = [("csrf", csrf.as_str()), ("address", OPERATOR), ("password", made["password"].as_str().unwrap())];
    let answer = web.post("/login", &form);
    assert_eq!(answer.status, 403, "{}", answer.text());
    assert_eq!(web.get("/certificates").status, 303);
}

#[test]
fn what_a_form_says_of_others_counts_for_nothing() {
    let demo = demo();
    let home = |arguments: &[&str]| demo.command("home.test").arg("--json").args(arguments).run().output;
    home(&["app-password", "add", ALICE, "phone"]);
    let of_alice = || (home(&["app-password", "list", ALICE]), home(&["account", "list"]));
    let before = of_alice();
    let mut carol = signed_in(&demo, CAROL);
    for (path, field) in [
        ("/me/app-passwords/remove", ("id", "1")),
        ("/me/app-passwords/remove-all", ("all", "1")),
        ("/me/app-passwords", ("name", "laptop")),
        ("/me/forwarding/stop", ("stop", "1")),
    ] {
        let csrf = carol.get("/me").csrf().unwrap();
        let others = ["account", "address", "login", "user", "person"].map(|name| (name, ALICE));
        let answer = carol.post(path, &[&[("csrf", csrf.as_str()), field], others.as_slice()].concat());
        assert!(answer.status < 500, "{path}: {}", answer.text());
        assert_eq!(of_alice(), before, "{path}");
    }
    let hers = home(&["app-password", "list", CAROL]);
    assert!(hers.contains("laptop"), "what she asked for is hers: {hers}");
}

#[test]
fn nobody_is_led_elsewhere_whatever_stands_in_a_link_or_in_the_host() {
    let demo = demo();
    let elsewhere = [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "evil.example",
        "/\r\nSet-Cookie: a=b",
        "\\\\evil.example",
        "javascript:alert(1)",
        "/%09/evil.example",
        "/\t/evil.example",
    ];
    let local = |answer: &Answer, what: &str| {
        let to = answer.header("location").unwrap_or_else(|| panic!("{what}: {answer:?}"));
        let ours = to.starts_with('/') && !to.starts_with("//") && !to.contains(['\\', '\r', '\n', '\t']);
        assert!(ours, "{what} leads to {to}");
        assert!(answer.headers.iter().all(|(_, value)| !value.contains("a=b")), "{what}: {answer:?}");
    };
    let password = demo.account(OPERATOR).password;
    for next in elsewhere {
        let mut web = demo.web("home.test");
        let csrf = web.get(&format!("/login?next={}", encoded(next))).csrf().unwrap();
        let form = [("csrf", csrf.as_str()), ("address", OPERATOR), ("password", &password), ("next", next)];
        local(&web.post("/login", &form), next);
        local(&web.get(&format!("/login?next={}", encoded(next))), next);
    }
    let mut operator = signed_in(&demo, OPERATOR);
    let mut nobody = demo.web("home.test");
    let mut paths: Vec<String> = all_routes()
        .iter()
        .filter(|route| route.get && route.path != "/events")
        .map(|route| filled(&route.path, "1", "1"))
        .collect();
    paths.extend(["/no-such-page".to_owned(), "/mail/config-v1.1.xml".to_owned(), "//evil.example/x".to_owned()]);
    for path in &paths {
        for web in [&mut operator, &mut nobody] {
            let headers =
                [("Host", "evil.example"), ("X-Forwarded-Host", "evil.example"), ("Forwarded", "host=evil.example")];
            let answer = web.request("GET", path, &headers, b"").unwrap();
            // A page may repeat the path that was asked for; it must not make a link to the host of it.
            assert!(!answer.text().contains("//evil.example\"") && !answer.text().contains("https://evil"), "{path}");
            let to = answer.header("location").unwrap_or_default();
            assert!(!to.starts_with("//") && !to.starts_with("http"), "{path} leads to {to}");
        }
    }
}

#[test]
fn what_others_write_is_shown_as_words_and_never_run() {
    let evil = "<script>alert(1)</script>\"'><img src=x onerror=\"alert(2)\">";
    let records = tempfile::NamedTempFile::new().unwrap();
    let text = format!("\"v=spf1 {}\"", evil.replace('"', "").replace(' ', "_"));
    fs::write(
        records.path(),
        format!(
            "home.test. 60 IN TXT {text}\n_dmarc.home.test. 60 IN TXT {}\n",
            text.replace("spf1", "DMARC1;p=none;")
        ),
    )
    .unwrap();
    let demo = Demo::start(MAILSTEAD, &["--records", &records.path().display().to_string()]);
    // By names of devices and browsers, by letters in and out and how they were refused, by what a peer calls itself.
    let home = |arguments: &[&str]| demo.command("home.test").args(arguments).run_any();
    home(&["app-password", "add", OPERATOR, evil]);
    home(&["alias", "add", "\"<script>alert(3)</script>\"@home.test", ALICE]);
    let mut smtp = demo.exchange("home.test");
    let sender = "\"<script>alert(4)</script>\"@world.test";
    let letter = Letter::new("bob@world.test", ALICE, evil).bytes();
    let _ = smtp.try_send(sender, &[ALICE], &letter);
    let _ = smtp.try_send("bob@world.test", &["\"<img src=x onerror=alert(5)>\"@home.test"], &letter);
    let mut hello = Wire::connect(demo.home().ports.smtp);
    hello.reply().expect(220);
    hello.command("EHLO <script>alert(6)</script>");
    demo.submission(ALICE).send(
        ALICE,
        &["\"<script>alert(7)</script>\"@world.test"],
        &Letter::new(ALICE, ALICE, evil).bytes(),
    );
    let mut operator = demo.web("home.test");
    let csrf = operator.get("/login").csrf().unwrap();
    let password = encoded(&demo.account(OPERATOR).password);
    let form = format!("csrf={csrf}&address={}&password={password}", encoded(OPERATOR));
    let answer = operator.request("POST", "/login", &[FORM, ("User-Agent", evil)], form.as_bytes()).unwrap();
    assert_eq!(answer.status, 303, "{}", answer.text());

    let mut paths: Vec<String> = Vec::new();
    for route in all_routes().iter().filter(|route| route.get && route.path != "/events") {
        paths.push(filled(&route.path, "1", "1"));
        paths.push(
            route
                .path
                .split('/')
                .map(|part| if part.starts_with('{') { encoded(evil) } else { part.to_owned() })
                .collect::<Vec<_>>()
                .join("/"),
        );
        for name in ["q", "next", "page", "before", "domain", "id", "topics", "address", "filter"] {
            paths.push(format!("{}?{name}={}", filled(&route.path, "1", "1"), encoded(evil)));
        }
    }
    let stories = home(&["--json", "trace", ALICE]);
    let stories: serde_json::Value = serde_json::from_str(&stories.output).unwrap();
    let traces = stories.as_array().unwrap().iter().filter_map(|story| story["trace"].as_str());
    let mut told: Vec<&str> = Vec::new();
    paths.extend(traces.map(|trace| format!("/activity/{trace}")));
    for path in &paths {
        let answer = operator.get(path);
        assert!(answer.status < 500 || answer.status == 503, "{path}: {}", answer.status);
        let page = answer.text();
        if answer.header("content-type").unwrap_or_default().starts_with("text/html") {
            for code in CODE {
                assert!(!page.contains(code), "{path} says {code}: {page}");
            }
        }
        if !path.contains("%3C") && (page.contains("&lt;script&gt;alert(") || page.contains("&lt;img")) {
            told.push(path);
        }
    }
    for area in ["/aliases", "/activity", "/activity/", "/domains/home.test", "/me"] {
        let shown = told.iter().any(|path| path.starts_with(area));
        assert!(shown, "what others wrote is not shown by {area}, which proves nothing: {told:?}");
    }
}

#[test]
fn huge_and_slow_requests_cost_little_and_end() {
    let demo = demo();
    let server = demo.home();
    let connect = || Wire::connect_tls(server.ports.https, &server.host, &demo.world.ca);
    let head = |length: &str| {
        format!("POST /login HTTP/1.1\r\nHost: {}\r\nContent-Type: {}\r\n{length}\r\n\r\n", server.host, FORM.1)
    };
    let before = demo.process.resident_kib();

    // A body of a gigabyte, announced or not.
    for length in ["Content-Length: 1073741824", "Transfer-Encoding: chunked"] {
        let mut wire = connect();
        let begun = Instant::now();
        let mut sent = wire.try_send(head(length).as_bytes());
        let block = [b"10000\r\n".to_vec(), vec![b'a'; 1 << 16], b"\r\n".to_vec()].concat();
        let mut blocks = 0;
        while sent.is_ok() && blocks < 1 << 14 {
            sent = wire.try_send(&block);
            blocks += 1;
        }
        assert!(blocks < 1 << 12, "{length}: all of it was taken");
        assert!(begun.elapsed() < Duration::from_secs(30), "{length}");
    }
    // A header without end, a thousand fields, a line of a megabyte.
    for head in [
        format!("GET / HTTP/1.1\r\nHost: x\r\nX-A: {}\r\n\r\n", "a".repeat(1 << 20)),
        format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "X-A: b\r\n".repeat(1_000)),
        format!("GET /{} HTTP/1.1\r\nHost: x\r\n\r\n", "a".repeat(1 << 20)),
    ] {
        let mut wire = connect();
        let _ = wire.try_send(head.as_bytes());
        let line = wire.try_read_line().ok().flatten().unwrap_or_default();
        let line = String::from_utf8_lossy(&line).into_owned();
        assert!(line.is_empty() || line.contains(" 4"), "{line}");
    }
    let grown = demo.process.resident_kib().saturating_sub(before);
    assert!(grown < 32 << 10, "{grown} KiB of memory more");

    // Whoever never ends a header is let go, and others are served meanwhile.
    let mut slow = connect();
    slow.try_send(b"GET / HTTP/1.1\r\nHost: x\r\n").unwrap();
    assert_eq!(demo.web("home.test").get("/login").status, 200);
    slow.set_patience(Duration::from_secs(40));
    let begun = Instant::now();
    let _ = slow.try_read_line();
    assert!(begun.elapsed() < Duration::from_secs(30), "a header may take for ever");
}

#[test]
fn nothing_but_what_is_embedded_is_given_out() {
    let demo = demo();
    let mut web = demo.web("home.test");
    for path in [
        "/style.css/../../../../etc/passwd",
        "/../../../etc/passwd",
        "/%2e%2e/%2e%2e/etc/passwd",
        "/..%2f..%2fetc%2fpasswd",
        "/style.css%00.html",
        "/.git/config",
        "/store.redb",
        "/control.sock",
        "/metrics",
        "/.well-known/acme-challenge/..%2f..%2fstore.redb",
        "/style.css/",
        "/%ff%fe",
        "/events",
    ] {
        let answer = web.get(path);
        assert!([400, 303, 404].contains(&answer.status), "{path}: {}", answer.status);
        assert!(!answer.text().contains("root:"), "{path}");
    }
    for (path, kind) in [("/style.css", "text/css"), ("/script.js", "text/javascript"), ("/icon.svg", "image/svg+xml")]
    {
        let answer = web.get(path);
        assert!(answer.status == 200 && answer.header("content-type").unwrap().starts_with(kind), "{path}");
        assert_eq!(answer.header("x-content-type-options"), Some("nosniff"), "{path}");
    }
    for method in ["PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "PROPFIND"] {
        let answer = web.request(method, "/login", &[], b"");
        let status = answer.map_or(400, |answer| answer.status);
        assert!((400..=501).contains(&status), "{method}: {status}");
        web = demo.web("home.test");
    }
}
