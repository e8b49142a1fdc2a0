//! A real browser, driven as a person uses it: by the words on buttons, links and fields.
//!
//! Headless Chromium through chromedriver, with an empty profile, able to reach loopback alone, where every name leads.
//! Names of controls are the ones a screen reader says (the computed label), so that a control without one can't be
//! used by a test either.
//!
//! **Invariants:** every wait has a deadline; a failed wait shows the page's text and leaves a picture of it.

mod audit;
mod driver;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use base64::Engine;
use serde_json::{Value, json};

use driver::Driver;
pub use driver::Refusal;

/// How long a page may take to show something, on a machine busy with other tests.
const PATIENCE: Duration = Duration::from_secs(30);
/// Gap between two looks at a page.
const LOOK: Duration = Duration::from_millis(50);
/// The height of the window; pictures are of the whole page.
const HEIGHT: u32 = 844;
/// What has a name and can be pressed.
const BUTTONS: &str = "button, input[type=submit], summary, [role=button]";
/// What can be filled in.
const FIELDS: &str = "input:not([type=hidden]):not([type=submit]), select, textarea";
/// The width of a usual desk's window.
pub const WIDE: u32 = 1280;
/// The width of a usual phone.
pub const NARROW: u32 = 390;

/// One window.
#[derive(Debug)]
pub struct Browser {
    driver: Driver,
    origin: String,
}

impl Browser {
    /// Opens an empty window 1280 wide for the site at this origin (`https://mail.home.test:8443`).
    #[track_caller]
    pub fn start(origin: &str) -> Self {
        Self::with(origin, true)
    }

    /// The same, in a browser that runs no page's JavaScript.
    #[track_caller]
    pub fn without_javascript(origin: &str) -> Self {
        Self::with(origin, false)
    }

    #[track_caller]
    fn with(origin: &str, javascript: bool) -> Self {
        let browser = Self { driver: Driver::start(javascript), origin: origin.to_owned() };
        browser.resize(WIDE);
        browser
    }

    /// Makes the window so wide; under 600, it is a phone's.
    #[track_caller]
    pub fn resize(&self, width: u32) {
        let metrics = json!({ "width": width, "height": HEIGHT, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.driver.browser("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// Asks for the dark or the light look.
    #[track_caller]
    pub fn prefer_dark(&self, dark: bool) {
        let scheme = json!({ "name": "prefers-color-scheme", "value": if dark { "dark" } else { "light" } });
        self.driver.browser("Emulation.setEmulatedMedia", &json!({ "features": [scheme] }));
    }

    /// Goes to a path of the site, or to a whole URL.
    #[track_caller]
    pub fn open(&self, path: &str) {
        let url = if path.starts_with('/') { format!("{}{path}", self.origin) } else { path.to_owned() };
        self.driver.post("url", &json!({ "url": url })).unwrap_or_else(|refusal| panic!("{url}: {refusal}"));
    }

    /// Goes to a path of the site, and tells whether anything answered there.
    pub fn goes_to(&self, path: &str) -> bool {
        self.driver.post("url", &json!({ "url": format!("{}{path}", self.origin) })).is_ok()
    }

    /// The path and query now shown.
    pub fn path(&self) -> String {
        let url = self.driver.get("url").unwrap_or_default();
        let url = url.as_str().unwrap_or_default();
        url.strip_prefix(&self.origin).unwrap_or(url).to_owned()
    }

    /// The page's title.
    pub fn title(&self) -> String {
        self.driver.get("title").unwrap_or_default().as_str().unwrap_or_default().to_owned()
    }

    /// All text that can be seen.
    pub fn text(&self) -> String {
        self.texts("body").concat()
    }

    /// The seen text of each element that a CSS selector finds.
    pub fn texts(&self, css: &str) -> Vec<String> {
        self.try_each(css, "text").unwrap_or_default()
    }

    /// An attribute of each element that a CSS selector finds; empty where it has none.
    pub fn attributes(&self, css: &str, name: &str) -> Vec<String> {
        self.try_each(css, &format!("attribute/{name}")).unwrap_or_default()
    }

    /// How many elements a CSS selector finds now.
    pub fn count(&self, css: &str) -> usize {
        self.driver.elements(css).map_or(0, |found| found.len())
    }

    /// Where the links of the page lead within the site, in their order.
    pub fn links(&self) -> Vec<String> {
        let mut links = self.attributes("a[href^='/']:not([download])", "href");
        links.retain(|link| !link.starts_with("//"));
        links
    }

    fn try_each(&self, css: &str, what: &str) -> Result<Vec<String>, Refusal> {
        let ask = |id: String| self.driver.get(&format!("element/{id}/{what}"));
        let each = self.driver.elements(css)?.into_iter().map(ask).collect::<Result<Vec<_>, _>>()?;
        Ok(each.iter().map(|value| value.as_str().unwrap_or_default().to_owned()).collect())
    }

    /// Waits until the page says this.
    #[track_caller]
    pub fn sees(&self, words: &str) {
        self.until(&format!("the page says {words:?}"), || self.text().contains(words).then_some(()));
    }

    /// Waits until the page does not say this any more.
    #[track_caller]
    pub fn sees_no_more(&self, words: &str) {
        self.until(&format!("the page no longer says {words:?}"), || (!self.text().contains(words)).then_some(()));
    }

    /// Presses the first button of this name, and waits for the page that comes of it.
    #[track_caller]
    pub fn press(&self, name: &str) {
        self.click(BUTTONS, name);
    }

    /// Follows the first link of this name.
    #[track_caller]
    pub fn follow(&self, name: &str) {
        self.click("a[href]", name);
    }

    /// Clicks the first shown element of a CSS selector that has this name.
    #[track_caller]
    pub fn click(&self, css: &str, name: &str) {
        self.act(&format!("something named {name:?} to press"), || {
            let id = self.named(css, name)?;
            self.driver.post(&format!("element/{id}/click"), &json!({}))
        });
    }

    /// Empties the field of this label and types this into it.
    #[track_caller]
    pub fn fill(&self, label: &str, value: &str) {
        self.act(&format!("a field labelled {label:?}"), || {
            let id = self.named(FIELDS, label)?;
            self.driver.post(&format!("element/{id}/clear"), &json!({}))?;
            self.driver.post(&format!("element/{id}/value"), &json!({ "text": value }))
        });
    }

    /// Chooses an option by its words in the list of this label.
    #[track_caller]
    pub fn choose(&self, label: &str, option: &str) {
        self.act(&format!("a list labelled {label:?} with {option:?}"), || {
            let id = self.named(FIELDS, label)?;
            self.driver.post(&format!("element/{id}/value"), &json!({ "text": option }))
        });
    }

    /// Says yes to the question the browser asks.
    #[track_caller]
    pub fn say_yes(&self) {
        self.until("the browser asks something", || self.driver.post("alert/accept", &json!({})).ok());
    }

    /// Types keys where the focus is (`\u{e004}` is Tab, `\u{e007}` Enter).
    #[track_caller]
    pub fn keys(&self, keys: &str) {
        self.act("an element with the focus", || {
            let active = self.driver.get("element/active")?;
            let id = active.as_object().and_then(|one| one.values().next()).and_then(Value::as_str).unwrap_or_default();
            self.driver.post(&format!("element/{id}/value"), &json!({ "text": keys }))
        });
    }

    /// True when a button of this name is shown now.
    pub fn has_button(&self, name: &str) -> bool {
        self.named(BUTTONS, name).is_ok()
    }

    /// True when a link of this name is shown now.
    pub fn shows_link(&self, name: &str) -> bool {
        self.named("a[href]", name).is_ok()
    }

    /// True when a field of this label is shown now.
    pub fn has_field(&self, label: &str) -> bool {
        self.named(FIELDS, label).is_ok()
    }

    /// The first shown element of a selector that has this name, letter case aside.
    fn named(&self, css: &str, name: &str) -> Result<String, Refusal> {
        for id in self.driver.elements(css)? {
            let label = self.driver.get(&format!("element/{id}/computedlabel"))?;
            let label = label.as_str().unwrap_or_default().trim();
            let shown = || self.driver.get(&format!("element/{id}/displayed"));
            if label.eq_ignore_ascii_case(name) && shown()?.as_bool() == Some(true) {
                return Ok(id);
            }
        }
        Err(Refusal { error: "no such element".to_owned(), message: format!("nothing is named {name:?}") })
    }

    /// Runs a function's body in the page and gives what it returns. The page's security policy does not bind it.
    #[track_caller]
    pub fn script(&self, body: &str) -> Value {
        let run = self.driver.post("execute/sync", &json!({ "script": body, "args": [] }));
        run.unwrap_or_else(|refusal| panic!("{refusal} in {body}"))
    }

    /// The cookies of the page, with their attributes as `WebDriver` names them.
    pub fn cookies(&self) -> Vec<Value> {
        self.driver.get("cookie").unwrap_or_default().as_array().cloned().unwrap_or_default()
    }

    /// Sets a cookie for the page's host.
    #[track_caller]
    pub fn set_cookie(&self, cookie: &Value) {
        let set = self.driver.post("cookie", &json!({ "cookie": cookie }));
        set.unwrap_or_else(|refusal| panic!("{refusal}: {cookie}"));
    }

    /// Forgets all cookies of the page.
    pub fn forget_cookies(&self) {
        let _ = self.driver.delete("/cookie");
    }

    /// Looks at the page again and again, loading it anew each time with `reload`, until `look` gives a value.
    #[track_caller]
    pub fn reload_until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        self.until(what, || {
            let found = look();
            if found.is_none() {
                let _ = self.driver.post("refresh", &json!({}));
            }
            found
        })
    }

    /// Looks again and again until `look` gives a value.
    ///
    /// # Panics
    /// When the patience is over; the message has the page's text, and the place of its picture.
    #[track_caller]
    pub fn until<T>(&self, what: &str, mut look: impl FnMut() -> Option<T>) -> T {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(value) = look() {
                return value;
            }
            if Instant::now() > end {
                self.give_up(what);
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Does something as soon as the page lets it.
    #[track_caller]
    fn act(&self, what: &str, mut action: impl FnMut() -> Result<Value, Refusal>) {
        let mut last = None;
        let end = Instant::now() + PATIENCE;
        loop {
            match action() {
                Ok(_) => return,
                Err(refusal) if refusal.may_pass() && Instant::now() < end => last = Some(refusal),
                Err(refusal) => self.give_up(&format!("{what} ({})", last.unwrap_or(refusal))),
            }
            std::thread::sleep(LOOK);
        }
    }

    #[track_caller]
    fn give_up(&self, what: &str) -> ! {
        let name = format!("failed-{}", std::process::id());
        let picture = self.screenshot(&name);
        panic!(
            "within {PATIENCE:?} this did not come about: {what}\n--- {} ({}), pictured in {} ---\n{}\n---",
            self.path(),
            self.title(),
            picture.display(),
            self.text()
        );
    }

    /// Writes a picture of the whole page into [`screenshots`].
    #[track_caller]
    pub fn screenshot(&self, name: &str) -> PathBuf {
        let layout = self.driver.browser("Page.getLayoutMetrics", &json!({}));
        let size = &layout["cssContentSize"];
        let clip = json!({ "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1 });
        let wanted = json!({ "format": "png", "captureBeyondViewport": true, "clip": clip });
        let picture = self.driver.browser("Page.captureScreenshot", &wanted);
        let data = picture["data"].as_str().expect("a picture");
        let file = screenshots().join(format!("{name}.png"));
        std::fs::create_dir_all(screenshots()).expect("a folder for pictures");
        std::fs::write(&file, base64::engine::general_purpose::STANDARD.decode(data).expect("base64")).unwrap();
        file
    }
}

/// Where pictures go: `$MAILSTEAD_SCREENSHOTS`, or `screenshots` in the build's folder.
pub fn screenshots() -> PathBuf {
    let given = std::env::var_os("MAILSTEAD_SCREENSHOTS").map(PathBuf::from);
    given.unwrap_or_else(|| {
        let program = std::env::current_exe().expect("this program");
        // target/debug/deps/program
        program.ancestors().nth(3).expect("the build's folder").join("screenshots")
    })
}
