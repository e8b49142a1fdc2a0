//! What every page shares: the frame around its content, and the way from a view to a string.

use leptos::prelude::*;

/// Renders a page with its title.
pub(crate) fn render(title: &str, content: impl FnOnce() -> AnyView) -> String {
    let title = title.to_owned();
    let owner = Owner::new();
    let body = owner.with(|| {
        view! {
            <html lang="en">
                <head>
                    <meta charset="utf-8" />
                    <meta name="viewport" content="width=device-width, initial-scale=1" />
                    <meta name="color-scheme" content="light dark" />
                    <title>{title}</title>
                    <link rel="stylesheet" href="/style.css" />
                </head>
                <body>{content()}</body>
            </html>
        }
        .to_html()
    });
    format!("<!DOCTYPE html>{body}")
}
