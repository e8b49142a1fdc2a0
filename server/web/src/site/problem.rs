//! Why a page can't be shown.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use mailstead_store::StoreError;

use super::sentence;

/// Why a page can't be shown, and what to do. It becomes a page where the visitor is known.
#[derive(Debug, Clone)]
pub(crate) struct Problem {
    status: StatusCode,
    what: String,
    todo: String,
}

impl Problem {
    fn new(status: StatusCode, what: &str, todo: impl Into<String>) -> Self {
        Self { status, what: what.to_owned(), todo: todo.into() }
    }

    /// There is nothing of that name.
    pub(crate) fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "There is no such page",
            "It may have been removed, or the address is mistyped.",
        )
    }

    /// A set-up link that opens nothing, whatever it was.
    pub(crate) fn used_link() -> Self {
        let todo = "It works for a day and until the server is set up. If it is, sign in at /login; if it is not, make a \
                    new link on the server: mailstead setup --link";
        Self::new(StatusCode::NOT_FOUND, "This link opens nothing any more", todo)
    }

    /// Only an operator may see it.
    pub(crate) fn not_yours() -> Self {
        let todo = "Only those who look after this server may see this page. If that should be you, ask them to make you \
                    an operator: mailstead account operator ADDRESS on";
        Self::new(StatusCode::FORBIDDEN, "This page is for operators", todo)
    }

    /// Nobody is signed in any more.
    pub(crate) fn signed_out() -> Self {
        Self::new(StatusCode::FORBIDDEN, "You are signed out", "Nothing was changed: sign in and try again.")
    }

    /// A form that is not ours, or too old.
    pub(crate) fn stale_form() -> Self {
        let todo = "Nothing was changed. Go back, load the page again and send it once more.";
        Self::new(StatusCode::FORBIDDEN, "This form has expired", todo)
    }

    /// A form that makes no sense.
    pub(crate) fn bad_form(why: &str) -> Self {
        let todo = format!("Nothing was changed. {}", sentence(why));
        Self::new(StatusCode::BAD_REQUEST, "This form can't be read", todo)
    }

    /// What was asked for is refused, and why.
    pub(crate) fn refused(why: impl AsRef<str>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, "That did not work", sentence(why.as_ref()))
    }

    /// It can't be told now.
    pub(crate) fn later(why: impl AsRef<str>) -> Self {
        Self::new(StatusCode::SERVICE_UNAVAILABLE, "Try again in a moment", sentence(why.as_ref()))
    }

    /// Why a request was refused before a page could say so.
    pub(crate) fn untold(response: &Response) -> Option<Self> {
        let status = response.status();
        let kind = response.headers().get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
        if !status.is_client_error() || kind.starts_with("text/html") {
            return None;
        }
        let (what, todo) = match status {
            StatusCode::PAYLOAD_TOO_LARGE => ("That is too much", "Nothing was changed. Send less at once."),
            StatusCode::METHOD_NOT_ALLOWED => {
                ("There is nothing to see here", "This address only does things: go back to the page that leads here.")
            }
            _ => ("This address can't be read", "It is incomplete or mistyped: go back and follow the link again."),
        };
        Some(Self::new(status, what, todo))
    }

    /// Its words: what is wrong, and what to do.
    pub(crate) fn words(&self) -> (&str, &str) {
        (&self.what, &self.todo)
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::NotFound(_) => Self::not_found(),
            StoreError::Invalid(_) | StoreError::Exists(_) => Self::refused(error.to_string()),
            other => {
                tracing::error!(error = %other, "a page can't be shown");
                Self::later("The store can't be read at the moment; the log says why.")
            }
        }
    }
}

impl IntoResponse for Problem {
    /// The page itself is made by the middleware, which knows the visitor.
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
