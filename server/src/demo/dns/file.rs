//! The user's file of records, read again whenever it changes.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::Entry;
use super::names::{Layer, Names};

/// How soon a change shows.
const LOOK: Duration = Duration::from_millis(200);

/// Reads the file now, and whenever it changes until the task is aborted. A change that can't be read is told and leaves
/// the names as they were.
///
/// # Errors
/// The file can't be read now; a sentence with its name and the line.
pub(super) fn follow(path: &Path, names: Names) -> Result<tokio::task::AbortHandle, String> {
    let path = path.to_owned();
    let mut known = text(&path)?;
    names.replace(Layer::File, entries(&path, &known)?);
    let task = tokio::spawn(async move {
        let mut told = None;
        loop {
            tokio::time::sleep(LOOK).await;
            let read = text(&path).and_then(|text| match text == known {
                true => Ok(None),
                false => entries(&path, &text).map(|entries| Some((text, entries))),
            });
            match read {
                Ok(None) => told = None,
                Ok(Some((text, entries))) => {
                    known = text;
                    names.replace(Layer::File, entries);
                    tracing::info!(file = %path.display(), "the records were read again");
                }
                Err(error) => {
                    if told.as_ref() != Some(&error) {
                        tracing::error!(%error, "the records can't be read again: the earlier ones stay");
                    }
                    told = Some(error);
                }
            }
        }
    });
    Ok(task.abort_handle())
}

fn text(path: &PathBuf) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn entries(path: &Path, text: &str) -> Result<Vec<Entry>, String> {
    Entry::read_all(text).map_err(|error| format!("{}: {error}", path.display()))
}
