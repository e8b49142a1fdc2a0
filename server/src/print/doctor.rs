//! What the doctor found, for people.

use mailstead_advice::doctor::{Examination, Finding, Light, Remedy};

use super::printable;

pub(super) fn examination(found: &Examination) -> String {
    let paragraphs: String = found.findings.iter().map(finding).collect();
    let verdict = match (found.count(Light::Bad), found.count(Light::Warning)) {
        (0, 0) => "Nothing needs doing.".to_owned(),
        (0, soon) => format!("Mail flows; {} should be seen to.", things(soon)),
        (now, 0) => format!("{} must be mended.", capital(&things(now))),
        (now, soon) => format!("{} must be mended, and {} should be seen to.", capital(&things(now)), things(soon)),
    };
    format!("{paragraphs}\n{verdict}")
}

fn finding(finding: &Finding) -> String {
    let Finding { title, light, what, why, todo, remedies, .. } = finding;
    let mark = match light {
        Light::Good => "✓",
        Light::Unknown => "?",
        Light::Warning => "▲",
        Light::Bad => "✕",
    };
    let first = format!("{mark} {title}: {}\n", printable(what));
    let Some(todo) = todo else { return first };
    let commands = remedies.iter().filter_map(|remedy| match remedy {
        Remedy::Command(command) => Some(format!("      {}\n", printable(command))),
        Remedy::Page(_) => None,
    });
    let commands: String = commands.collect();
    format!("\n{first}  {}\n  To do: {}\n{commands}", printable(why), printable(todo))
}

fn things(count: usize) -> String {
    if count == 1 { "one thing".to_owned() } else { format!("{count} things") }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(light: Light, todo: Option<&str>) -> Finding {
        Finding {
            id: "clock".to_owned(),
            title: "The clock".to_owned(),
            light,
            what: "The clock is slow.".to_owned(),
            why: "It matters.".to_owned(),
            todo: todo.map(str::to_owned),
            remedies: vec![Remedy::Page("/x".to_owned()), Remedy::Command("timedatectl".to_owned())],
        }
    }

    #[test]
    fn what_is_well_takes_one_line_and_what_is_not_says_why_and_what_to_do() {
        let found = Examination {
            at: String::new(),
            findings: vec![finding(Light::Bad, Some("Set it.")), finding(Light::Good, None)],
        };
        assert_eq!(
            examination(&found),
            "\n✕ The clock: The clock is slow.\n  It matters.\n  To do: Set it.\n      timedatectl\n\
             ✓ The clock: The clock is slow.\n\nOne thing must be mended."
        );
    }
}
