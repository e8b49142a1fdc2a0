//! Backups: how the last went, one now, and the way back.

use leptos::prelude::*;

use crate::parts::{Light, action, empty, light, size, when};
use crate::shell::{Frame, render};

/// What the page shows.
#[derive(Debug, Clone, Default)]
pub struct View {
    /// The last that was made and proved.
    pub good: Option<Made>,
    /// The failure since then.
    pub failed: Option<Failed>,
    /// One is being made.
    pub under_way: bool,
    /// Where one goes that is asked for here.
    pub folder: String,
}

/// A backup that was made and proved.
#[derive(Debug, Clone, Default)]
pub struct Made {
    /// When.
    pub at: String,
    /// Where it is.
    pub place: String,
    /// Bytes in it.
    pub bytes: u64,
    /// Letters in it.
    pub letters: u64,
    /// Those of them that are damaged in the server itself.
    pub damaged: u64,
}

/// A backup that failed.
#[derive(Debug, Clone, Default)]
pub struct Failed {
    /// When.
    pub at: String,
    /// Why, in a sentence.
    pub why: String,
}

/// The page.
pub fn page(frame: &Frame, model: &View) -> String {
    render(frame, || {
        let last = match &model.good {
            Some(made) => last(made),
            None => empty("No backup yet", "What is on one disk alone is lost with it. Make one now, then each night."),
        };
        let failed = model.failed.as_ref().map(|failed| {
            view! {
                <p class="notice problem">"The latest try failed, " {when(&failed.at)} ": " {failed.why.clone()}</p>
            }
        });
        let now = if model.under_way {
            view! { <p class="notice careful" role="status">"A backup is being made right now. Load this page again in a while."</p> }
                .into_any()
        } else {
            action(frame, "/backup", "Make one now", "", &[])
        };
        view! {
            <div class="head"><h1>"Backup"</h1></div>
            <p class="lead">"A copy of everything: letters, accounts, keys, settings, the queue. Each letter is read back and compared."</p>
            {failed}
            {last}
            <section class="card">
                <h2>"One now"</h2>
                <p>
                    "It goes to " <code>{model.folder.clone()}</code>
                    ", on the disk of the server itself: good against mistakes, not against a broken disk. Copy that folder elsewhere."
                </p>
                {now}
            </section>
            {elsewhere()}
        }
        .into_any()
    })
}

fn last(made: &Made) -> AnyView {
    let doubt = (made.damaged > 0).then(|| {
        let text = format!(
            "{} letters in it are damaged in the server itself. An older backup may have them whole.",
            made.damaged
        );
        view! { <p class="notice careful">{text}</p> }
    });
    let word = format!("{} letters, {}, each read back and found equal", made.letters, size(made.bytes));
    view! {
        <section class="card">
            <h2>"The last backup"</h2>
            <p>{when(&made.at)}</p>
            <p>{light(Light::Good, word)}</p>
            <p><code>{made.place.clone()}</code></p>
            {doubt}
        </section>
    }
    .into_any()
}

fn elsewhere() -> AnyView {
    view! {
        <section class="card">
            <h2>"To another disk, each night"</h2>
            <p>"On the server, as root, while it runs; what has not changed is not copied again:"</p>
            <p><code>"mailstead backup /mnt/backup"</code></p>
            <p>"Read one from end to end: is it whole?"</p>
            <p><code>"mailstead backup --check /mnt/backup"</code></p>
            <h2>"The way back"</h2>
            <p>"Stop the server, move its data folder away, then"</p>
            <p><code>"mailstead restore /mnt/backup"</code></p>
            <p class="hint">"Letters that waited to go out are held then, since some may have gone out after the backup was made."</p>
        </section>
    }
    .into_any()
}
