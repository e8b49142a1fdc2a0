//! `mailstead backup` and `mailstead restore`: copies made and proved by this very process, so that they may go wherever
//! its user may write, however little the server itself may.

use std::io::{IsTerminal as _, Write as _};
use std::path::{Path, PathBuf};

use mailstead_store::Options;
use mailstead_store::backup::{self, BackupRecord, CONFIGURATION, Order, Restored};
use mailstead_web::control::{Answer, Client, Request, Response, copy_picture};
use serde_json::json;

use crate::cli::{Backup, Restore};
use crate::commands::House;
use crate::print;

/// Makes a backup, or tells of the last.
///
/// # Errors
/// One sentence for the operator.
pub(crate) async fn run(
    options: Backup,
    data: &Path,
    configuration: Option<PathBuf>,
    json: bool,
) -> Result<(), String> {
    let Some(folder) = options.folder else {
        let answer = answer(&mut House::reach(data, false, None).await?, Request::Backups).await?;
        return print::answer(&answer, None, json);
    };
    let folder = std::path::absolute(&folder).map_err(|error| format!("{}: {error}", folder.display()))?;
    let mut house = House::reach(data, false, None).await?;
    let _lock = backup::lock(data).map_err(|error| error.to_string())?;
    let Answer::BackupStaged(picture) = answer(&mut house, Request::BackupStage).await? else {
        return Err("the running server is of another version: restart it".to_owned());
    };
    let text = configuration.and_then(|path| std::fs::read(path).ok());
    let copying = move || {
        let order = Order { folder: &folder, keep: options.keep.into(), configuration: text.as_deref() };
        copy_picture(&picture, &order, &mut progress("packs copied and proved"))
    };
    let outcome = tokio::task::spawn_blocking(copying).await.map_err(|error| error.to_string())?;
    if house.is_running() {
        // The server has closed the connection meanwhile, or has been stopped or started itself.
        house = House::reach(data, false, None).await?;
    }
    answer(&mut house, Request::BackupEnd { outcome: outcome.clone() }).await?;
    let made = outcome.map_err(|failed| failed.why)?;
    print::out(&if json { json!(made).to_string() } else { told(&made) });
    Ok(())
}

async fn answer(house: &mut House, request: Request) -> Result<Answer, String> {
    match house.ask(request).await? {
        Response::Ok(answer) => Ok(answer),
        Response::Error(sentence) => Err(sentence),
    }
}

fn told(made: &BackupRecord) -> String {
    let place = &made.place;
    let mut text = format!(
        "The backup is whole: {} letters, {} ({} of them new), each read back and found equal.\n{place}\n\
         It holds keys and passwords too: keep it where nobody else can read it.",
        made.letters,
        print::bytes(made.bytes),
        print::bytes(made.copied)
    );
    if made.damaged > 0 {
        text += &format!(
            "\nCareful: {} letters are damaged in the server itself, and so they are in the backup. An older backup may \
             have them whole.",
            made.damaged
        );
    }
    text
}

/// Reads a backup from end to end.
///
/// # Errors
/// What is wrong with it.
pub(crate) async fn check(folder: PathBuf, json: bool) -> Result<(), String> {
    let checking = move || backup::check(&folder, &mut progress("files read"));
    let checked = tokio::task::spawn_blocking(checking).await.map_err(|error| error.to_string())?;
    let manifest = checked.map_err(|error| error.to_string())?;
    print::out(&if json {
        json!({ "created": manifest.created, "letters": manifest.letters, "bytes": manifest.bytes(), "damaged": manifest.damaged })
            .to_string()
    } else {
        format!(
            "The backup of {} is whole: {} letters, {}.",
            manifest.created,
            manifest.letters,
            print::bytes(manifest.bytes())
        )
    });
    Ok(())
}

/// Puts a backup into an empty data folder.
///
/// # Errors
/// One sentence for the operator.
pub(crate) async fn restore(options: Restore, data: &Path, json: bool) -> Result<(), String> {
    if Client::connect(data).await.is_ok() {
        return Err(format!("a server runs on {}: stop it, and move that folder away", data.display()));
    }
    let mut progress = progress("files restored");
    let hold = !options.release_queue;
    let restored = backup::restore(&options.backup, data, Options::default(), hold, &mut progress).await;
    let restored = restored.map_err(|error| error.to_string())?;
    print::out(&if json {
        json!({
            "backup": restored.backup, "created": restored.manifest.created, "letters": restored.manifest.letters,
            "queued": restored.queued, "held": hold,
        })
        .to_string()
    } else {
        told_restored(&restored, data, hold)
    });
    Ok(())
}

fn told_restored(restored: &Restored, data: &Path, hold: bool) -> String {
    let Restored { backup, manifest, queued } = restored;
    let mut text = format!(
        "The backup of {} is restored into {}: {} letters, each proved. Now start the server.\n\
         Mail programs read their mailboxes anew once, and everybody signs in at the web again.",
        manifest.created,
        data.display(),
        manifest.letters
    );
    if *queued > 0 && hold {
        text += &format!(
            "\nLetters that waited to go out are held ({queued}), since some may have gone out after the backup was \
             made: look at them with `mailstead queue list`, then retry or remove each."
        );
    }
    if manifest.files.iter().any(|file| file.name == CONFIGURATION) {
        text += &format!("\nThe configuration of then is {}.", backup.join(CONFIGURATION).display());
    }
    text
}

/// Tells a person at a terminal how far it is.
fn progress(what: &'static str) -> impl FnMut(usize, usize) + Send {
    let shown = std::io::stderr().is_terminal();
    move |done, all| {
        if shown {
            let end = if done == all { "\n" } else { "" };
            eprint!("\r{done} of {all} {what}{end}");
            let _ = std::io::stderr().flush();
        }
    }
}
