//! Setting up a device: what to do there, step by step, and the exact values.

use leptos::prelude::*;

use crate::front::Settings;
use crate::parts::copyable;
use crate::shell::{Frame, render};

/// Pixels of a square of a QR code: a whole number, so that all are alike.
const PIXELS: usize = 4;

/// A kind of mail program.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Program {
    /// Thunderbird on a computer.
    #[default]
    Thunderbird,
    /// Mail on an iPhone, iPad or Mac.
    Apple,
    /// Outlook.
    Outlook,
    /// Thunderbird, K-9 Mail or FairEmail on Android.
    Android,
    /// Any other.
    Other,
}

impl Program {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Thunderbird, Self::Apple, Self::Android, Self::Outlook, Self::Other];

    /// The last part of its page's path.
    pub fn slug(self) -> &'static str {
        match self {
            Self::Thunderbird => "thunderbird",
            Self::Apple => "apple",
            Self::Outlook => "outlook",
            Self::Android => "android",
            Self::Other => "other",
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Thunderbird => "Thunderbird",
            Self::Apple => "iPhone, iPad, Mac",
            Self::Outlook => "Outlook",
            Self::Android => "Android",
            Self::Other => "Another program",
        }
    }
}

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// For which program.
    pub program: Program,
    /// The account's address.
    pub address: String,
    /// The server's ports.
    pub settings: Settings,
    /// What a phone's camera takes to the right place; none where the phone could not get there.
    pub qr: Option<Qr>,
    /// Where Apple's devices get a profile.
    pub profile: String,
}

/// A QR code.
#[derive(Debug, Clone)]
pub struct Qr {
    /// Squares of a side, the quiet margin included.
    pub side: usize,
    /// The dark squares, as an SVG path.
    pub path: String,
    /// Where it leads.
    pub url: String,
}

/// The page.
pub fn page(frame: &Frame, model: &View) -> String {
    render(frame, || {
        let tabs: Vec<AnyView> = Program::ALL.into_iter().map(|program| tab(program, model.program)).collect();
        view! {
            <h1>"Set up a device"</h1>
            <p class="lead">"Which program do you want to read your mail with?"</p>
            <nav class="tabs" aria-label="Programs"><ul>{tabs}</ul></nav>
            <div class="beside">
                <section class="card">
                    <h2>{model.program.name()}</h2>
                    {steps(model)}
                </section>
                {model.qr.as_ref().map(|code| qr(model.program, code))}
            </div>
            {values(model)}
        }
        .into_any()
    })
}

fn tab(program: Program, shown: Program) -> AnyView {
    let current = (program == shown).then_some("page");
    let path = format!("/me/devices/{}", program.slug());
    view! { <li><a href=path aria-current=current>{program.name()}</a></li> }.into_any()
}

fn steps(model: &View) -> AnyView {
    match model.program {
        Program::Thunderbird => thunderbird(),
        Program::Apple => apple(model),
        Program::Outlook => outlook(),
        Program::Android => android(),
        Program::Other => other(),
    }
}

fn password_step() -> AnyView {
    view! {
        <li>
            <a href="/me/app-passwords">"Make an app password"</a>" for it, and keep that page open: the password is shown only once."
        </li>
    }
    .into_any()
}

fn thunderbird() -> AnyView {
    view! {
        <ol class="steps">
            {password_step()}
            <li>"In Thunderbird, open the menu ☰ and choose "<b>"New Account"</b>", then "<b>"Email"</b>" (older versions: "<b>"Existing Mail Account"</b>")."</li>
            <li>"Type your name, your address and the app password, and continue."</li>
            <li>"Thunderbird finds all settings by itself. Choose "<b>"IMAP"</b>" and finish."</li>
        </ol>
        <p class="quiet small">"If it finds nothing, choose “Configure manually” and copy the values below; the authentication is “Normal password”."</p>
    }
    .into_any()
}

fn apple(model: &View) -> AnyView {
    view! {
        <ol class="steps">
            {password_step()}
            <li>
                "On the device itself, "<a href=model.profile.clone() download="mail.mobileconfig">"get the profile"</a>
                " and allow the download."
            </li>
            <li>"iPhone and iPad: open "<b>"Settings"</b>", tap "<b>"Profile Downloaded"</b>" and then "<b>"Install"</b>". Mac: open the file, then "<b>"System Settings"</b>" and search for "<b>"Profiles"</b>" or "<b>"Device Management"</b>"."</li>
            <li>"When it asks for a password, type the app password."</li>
        </ol>
        <p class="quiet small">"The device says that the profile is not signed. That is so with profiles of small servers: it holds nothing but the values below."</p>
    }
    .into_any()
}

fn outlook() -> AnyView {
    view! {
        <ol class="steps">
            {password_step()}
            <li>"In Outlook, choose "<b>"File"</b>" and "<b>"Add Account"</b>", and type your address."</li>
            <li>"Open "<b>"Advanced options"</b>", tick “Let me set up my account manually”, and choose "<b>"IMAP"</b>"."</li>
            <li>"Check that the values are those below, and type the app password."</li>
        </ol>
        <p class="notice careful">
            "The new Outlook for Windows and the Outlook apps for phones send your password to Microsoft, whose servers then fetch your mail. The Outlook of Office (“classic”) does not."
        </p>
    }
    .into_any()
}

fn android() -> AnyView {
    view! {
        <ol class="steps">
            {password_step()}
            <li>"Install "<b>"Thunderbird"</b>", "<b>"K-9 Mail"</b>" or "<b>"FairEmail"</b>" from your app store or from F-Droid."</li>
            <li>"Type your address. The app finds all settings by itself (in FairEmail: “Quick setup”, then “Other provider”)."</li>
            <li>"Type the app password, for reading and for sending."</li>
        </ol>
        <p class="quiet small">"With the code, the phone opens this page, where you can copy the values and make the password on the phone itself."</p>
    }
    .into_any()
}

fn other() -> AnyView {
    view! {
        <ol class="steps">
            {password_step()}
            <li>"Type your address and that password. Many programs find the rest by themselves."</li>
            <li>"If this one does not, copy the values below. Choose IMAP rather than POP3: then all your devices show the same mail."</li>
        </ol>
    }
    .into_any()
}

fn qr(program: Program, code: &Qr) -> AnyView {
    let says = match program {
        Program::Apple => "Point the camera of the iPhone or iPad here: it gets the profile. No password is in it.",
        _ => "Point the phone's camera here: it opens this page there.",
    };
    let view_box = format!("0 0 {0} {0}", code.side);
    let size = code.side * PIXELS;
    let label = format!("QR code that leads to {}", code.url);
    view! {
        <section class="card qr">
            <svg viewBox=view_box width=size height=size role="img" aria-label=label shape-rendering="crispEdges">
                <rect class="light-squares" width=code.side height=code.side></rect>
                <path class="dark-squares" d=code.path.clone()></path>
            </svg>
            <p class="small">{says}</p>
        </section>
    }
    .into_any()
}

fn values(model: &View) -> AnyView {
    let settings = &model.settings;
    let of = |title, tls: Option<u16>, starttls: Option<u16>| match (tls, starttls) {
        (Some(port), _) => Some(server(title, settings, port, "SSL/TLS")),
        (None, Some(port)) => Some(server(title, settings, port, "STARTTLS")),
        (None, None) => None,
    };
    let pop3 =
        if model.program == Program::Other { of("Fetching (POP3)", settings.pop3s, settings.pop3) } else { None };
    view! {
        <h2>"The exact values"</h2>
        <div class="cards">
            <section class="card">
                <h3>"You"</h3>
                <dl class="facts stacked">
                    <dt>"User name"</dt><dd>{copyable(model.address.clone(), "the user name")}</dd>
                    <dt>"Password"</dt><dd>"an app password"</dd>
                    <dt>"Log in with"</dt><dd>"normal password"</dd>
                </dl>
            </section>
            {of("Reading (IMAP)", settings.imaps, settings.imap)}
            {of("Sending (SMTP)", settings.submissions, settings.submission)}
            {pop3}
        </div>
    }
    .into_any()
}

fn server(title: &'static str, settings: &Settings, port: u16, security: &'static str) -> AnyView {
    let what = format!("the port of {title}");
    view! {
        <section class="card">
            <h3>{title}</h3>
            <dl class="facts stacked">
                <dt>"Server"</dt><dd>{copyable(settings.host.clone(), &format!("the server of {title}"))}</dd>
                <dt>"Port"</dt><dd>{copyable(port.to_string(), &what)}</dd>
                <dt>"Security"</dt><dd>{security}</dd>
            </dl>
        </section>
    }
    .into_any()
}
