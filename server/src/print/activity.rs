//! Messages for people, each in a line.

use mailstead_web::control::{LetterDetail, LetterView};

use super::{printable, table};

pub(super) fn list(list: &[LetterView]) -> String {
    if list.is_empty() {
        return "No letter has come or gone yet.".to_owned();
    }
    let rows = list.iter().map(|letter| {
        let from = letter.from.as_deref().unwrap_or("-");
        let outcome = serde_json::to_value(letter.outcome).ok();
        let outcome = outcome.as_ref().and_then(|outcome| outcome.as_str()).unwrap_or_default().to_owned();
        vec![letter.trace.clone(), letter.at.clone(), printable(from), printable(&letter.to.join(", ")), outcome]
    });
    table(&["ID", "WHEN", "FROM", "TO", "OUTCOME"], rows)
}

pub(super) fn story(letter: &LetterDetail) -> String {
    let mut lines = vec![letter.sentence.clone()];
    if let Some(remedy) = &letter.refusal {
        lines.push(remedy.why.clone());
        lines.push(format!("What the sender could do: {}", remedy.sender));
    }
    lines.extend(letter.checks.iter().map(|check| format!("{}: {}. {}", check.name, check.result, check.meaning)));
    lines.extend(letter.events.iter().map(|event| format!("{}  {}", event.at, event.text)));
    lines.iter().map(|line| printable(line) + "\n").collect()
}
