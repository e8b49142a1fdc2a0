//! SpamAssassin with all its rules that need no stranger's server: what it holds against a letter.

use std::collections::BTreeMap;

use tempfile::TempDir;

use super::Arrival;
use crate::letter::header;
use crate::names::Names;

/// No block lists, no shared databases, nothing learned: they know nothing of the tiny internet. The rest asks its DNS.
const CONFIGURATION: &str = "\
dns_available yes
skip_rbl_checks 1
use_bayes 0
use_razor2 0
use_pyzor 0
use_dcc 0
use_auto_welcomelist 0
report_safe 0
add_header all Scores _TESTSSCORES(,)_
";

/// SpamAssassin with its own configuration folder.
#[derive(Debug)]
pub struct SpamAssassin<'a> {
    names: &'a Names,
    folder: TempDir,
}

impl<'a> SpamAssassin<'a> {
    /// Prepares it, with Debian's choice of plugins.
    ///
    /// # Panics
    /// When it is not installed.
    #[track_caller]
    pub fn new(names: &'a Names) -> Self {
        let folder = TempDir::new().expect("a temporary folder");
        let debian = std::fs::read_dir("/etc/spamassassin").expect("SpamAssassin is installed (see tests/run)");
        for file in
            debian.flatten().map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "pre"))
        {
            std::fs::copy(&file, folder.path().join(file.file_name().unwrap())).unwrap();
        }
        std::fs::write(folder.path().join("local.cf"), CONFIGURATION).unwrap();
        Self { names, folder }
    }

    /// The names of the rules that hit, with their scores.
    #[track_caller]
    pub fn judge(&self, message: &[u8], arrival: &Arrival) -> BTreeMap<String, f32> {
        let at = self.folder.path();
        let tool = self.names.tool("spamassassin").home(at).args(["-x", "--prefspath=/dev/null", "--siteconfigpath"]);
        let said = tool.arg(at).input(arrival.traced(message)).run();
        let judged = said.output.replace("\r\n", "\n").replace('\n', "\r\n");
        let scores = header(judged.as_bytes(), "X-Spam-Scores").unwrap_or_else(|| panic!("no scores: {said}"));
        let rules = scores.split(',').filter_map(|rule| {
            let (name, score) = rule.trim().split_once('=')?;
            Some((name.to_owned(), score.parse().unwrap_or_else(|_| panic!("{rule}: {said}"))))
        });
        rules.collect()
    }
}
