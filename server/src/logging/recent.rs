//! Log lines, kept where the web and the command line find them.

use std::fmt::{self, Write as _};

use mailstead_web::logs::{RECENT, Severity};
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::layer::{Context, Layer};

/// Keeps every line that is logged.
pub(super) struct Keep;

impl<S: Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let metadata = event.metadata();
        let room = metadata.target().split("::").next().unwrap_or_default();
        RECENT.keep(severity(*metadata.level()), room.trim_start_matches("mailstead_"), &text.whole());
    }
}

fn severity(level: Level) -> Severity {
    match level {
        Level::ERROR => Severity::Error,
        Level::WARN => Severity::Warn,
        Level::INFO => Severity::Info,
        _ => Severity::Debug,
    }
}

/// An event as a line: its message, then its fields.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn whole(self) -> String {
        if self.fields.is_empty() { self.message } else { self.message + self.fields.as_str() }
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing into a string does not fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use tracing_subscriber::layer::SubscriberExt as _;

    use super::*;

    #[test]
    fn what_is_logged_is_kept_with_its_fields_and_without_control_characters() {
        let subscriber = tracing_subscriber::registry().with(Keep);
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(peer = "192.0.2.77", said = %"no\nthanks", count = 3, "somebody went away early");
        });
        let lines = RECENT.lines(Severity::Warn, "192.0.2.77", 10);
        assert_eq!(lines.len(), 1, "{lines:?}");
        let line = lines.first().map(|line| (line.text.as_str(), line.room.as_str()));
        let text = "somebody went away early peer=\"192.0.2.77\" said=no\\nthanks count=3";
        assert_eq!(line, Some((text, "mailstead")));
    }
}
