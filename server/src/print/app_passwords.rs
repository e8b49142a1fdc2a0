//! App passwords for people.

use mailstead_web::control::{AppPasswordView, NewAppPassword};

use super::{printable, table};

pub(super) fn new(made: &NewAppPassword) -> String {
    format!(
        "The app password for {} of {}, shown only now:\n\n  {}\n\nType it where the device asks for the password, with \
         its dashes.",
        printable(&made.name),
        made.account,
        made.password
    )
}

pub(super) fn list(list: &[AppPasswordView]) -> String {
    if list.is_empty() {
        return "There is no app password: make one for each device with `mailstead app-password add`.".to_owned();
    }
    let rows = list.iter().map(|password| {
        let used = match (&password.used, &password.protocol, &password.from) {
            (Some(at), Some(protocol), Some(from)) => format!("{at} by {protocol} from {from}"),
            _ => "never".to_owned(),
        };
        vec![password.id.to_string(), printable(&password.name), password.created.clone(), used]
    });
    table(&["NUMBER", "DEVICE", "MADE", "LAST USED"], rows)
}
