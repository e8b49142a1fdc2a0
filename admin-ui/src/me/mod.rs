//! Everyone's own pages: the account, its devices and their passwords, and where its mail goes.

pub mod account;
pub mod app_passwords;
pub mod devices;
pub mod forwarding;

use leptos::prelude::*;

/// Words in a row, each with its copy button.
fn copyable_list(list: &[String]) -> AnyView {
    let items: Vec<AnyView> =
        list.iter().map(|one| view! { <li>{crate::parts::copyable(one.clone(), one)}</li> }.into_any()).collect();
    view! { <ul class="plain-list">{items}</ul> }.into_any()
}
