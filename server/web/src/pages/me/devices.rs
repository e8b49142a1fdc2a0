//! `/me/devices`: how to set up a device.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::response::Html;
use axum::routing::get;
use mailstead_admin_ui::me::devices::{self, Program, Qr, View};

use crate::clients::apple;
use crate::http::origin;
use crate::site::problem::Problem;
use crate::site::visit::Person;
use crate::site::{Page, Site};

const HERE: &str = "/me/devices";
/// Light squares around a code, which cameras need (ISO/IEC 18004).
const MARGIN: usize = 4;

pub(super) fn routes() -> Router<Arc<Site>> {
    Router::new().route(HERE, get(guess)).route("/me/devices/{program}", get(show))
}

/// The page for the device that looks at it.
async fn guess(person: Person, State(site): State<Arc<Site>>, headers: HeaderMap) -> Page {
    let agent = person.agent();
    let program = if ["iPhone", "iPad", "Mac OS"].iter().any(|mark| agent.contains(mark)) {
        Program::Apple
    } else if agent.contains("Android") {
        Program::Android
    } else {
        Program::Thunderbird
    };
    page(&site, &person, &headers, program)
}

async fn show(person: Person, State(site): State<Arc<Site>>, Path(slug): Path<String>, headers: HeaderMap) -> Page {
    let program = Program::ALL.into_iter().find(|program| program.slug() == slug).ok_or_else(Problem::not_found)?;
    page(&site, &person, &headers, program)
}

fn page(site: &Site, person: &Person, headers: &HeaderMap, program: Program) -> Page {
    let address = person.address.to_string();
    let profile = apple::path(&person.address);
    let place = match program {
        Program::Apple if apple::is_possible(&site.settings) => Some(profile.clone()),
        Program::Apple => None,
        Program::Android | Program::Other => Some(format!("{HERE}/{}", program.slug())),
        Program::Thunderbird | Program::Outlook => None,
    };
    // Without HTTPS no phone gets here.
    let place = place.filter(|_| site.https.is_some());
    let qr = place.and_then(|path| code(format!("{}{path}", origin(site, headers))));
    let view = View { program, address, settings: site.settings.clone(), qr, profile };
    Ok(Html(devices::page(&site.frame(person, "Set up a device", HERE), &view)))
}

fn code(url: String) -> Option<Qr> {
    let code = qrcode::QrCode::new(&url).ok()?;
    let width = code.width();
    let mut path = String::new();
    for (row, colors) in code.to_colors().chunks(width).enumerate() {
        let dark = colors.iter().enumerate().filter(|(_, color)| **color == qrcode::Color::Dark);
        path.extend(dark.map(|(column, _)| format!("M{} {}h1v1h-1z", column + MARGIN, row + MARGIN)));
    }
    Some(Qr { side: width + 2 * MARGIN, path, url })
}
