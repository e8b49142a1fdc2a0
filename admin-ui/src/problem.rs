//! What people see when something can't be shown or done.

use leptos::prelude::*;

use crate::shell::{Frame, render};

/// The page: what is wrong, what to do, and a way on.
pub fn page(frame: &Frame, what: &str, todo: &str) -> String {
    let (what, todo) = (what.to_owned(), todo.to_owned());
    let brand = frame.visitor.is_none().then(|| view! { <p class="brand">"Mailstead"</p> });
    render(frame, || {
        view! {
            {brand}
            <h1>{what}</h1>
            <p class="lead">{todo}</p>
            <p><a href="/">"To the front page"</a></p>
        }
        .into_any()
    })
}
