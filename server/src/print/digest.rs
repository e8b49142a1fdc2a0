//! What reports say together, for people.

use mailstead_web::control::ReportDigest;

use super::table;

pub(super) fn digest(digest: &ReportDigest) -> String {
    let days = digest
        .days
        .iter()
        .filter(|day| day.letters_good > 0 || day.letters_bad > 0 || day.tls_good > 0 || day.tls_bad > 0);
    let rows: Vec<Vec<String>> = days
        .map(|day| {
            let counts = [day.letters_good, day.letters_bad, day.tls_good, day.tls_bad];
            std::iter::once(day.day.clone()).chain(counts.map(|count| count.to_string())).collect()
        })
        .collect();
    if rows.is_empty() {
        return "Nothing was reported in the last 30 days.".to_owned();
    }
    let mut text = table(&["DAY", "LETTERS PROVED", "NOT PROVED", "TLS GOOD", "TLS BAD"], rows.into_iter());
    if !digest.sources.is_empty() {
        let sources = digest
            .sources
            .iter()
            .map(|source| vec![source.address.clone(), source.good.to_string(), source.bad.to_string()]);
        text = format!("{}\n\n{}", text.trim_end(), table(&["SENT BY", "PROVED", "NOT PROVED"], sources));
    }
    text
}
