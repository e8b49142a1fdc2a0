//! What was found.

use serde::{Deserialize, Serialize};

/// How it stands with one thing, the better the smaller.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Light {
    /// All is well.
    Good,
    /// It can't be told.
    Unknown,
    /// Mail flows, but something should be done soon.
    Warning,
    /// Mail is lost, refused or delayed, or soon will be.
    Bad,
}

/// Where the remedy is to be had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Remedy {
    /// A page of ours: its path, such as `/queue`.
    Page(String),
    /// A command line to be typed as it stands, or with the parts in capitals filled in.
    Command(String),
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at, for programs: `outgoing`, or with its object `reverse 192.0.2.1`. Each occurs once.
    pub id: String,
    /// The same for people, in a word or three.
    pub title: String,
    /// How it stands.
    pub light: Light,
    /// What is, in a sentence.
    pub what: String,
    /// Why it matters, in a sentence.
    pub why: String,
    /// What to do, in a sentence, unless there is nothing to be done.
    pub todo: Option<String>,
    /// What helps with that: the first is the best.
    pub remedies: Vec<Remedy>,
}

/// A thing that is looked at.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject {
    /// For programs.
    pub id: &'static str,
    /// For people.
    pub title: &'static str,
    /// Why it matters, in a sentence.
    pub why: &'static str,
}

impl Subject {
    pub(super) fn good(self, what: impl Into<String>) -> Finding {
        self.found(Light::Good, what)
    }

    pub(super) fn unknown(self, what: impl Into<String>) -> Finding {
        self.found(Light::Unknown, what)
    }

    pub(super) fn warning(self, what: impl Into<String>) -> Finding {
        self.found(Light::Warning, what)
    }

    pub(super) fn bad(self, what: impl Into<String>) -> Finding {
        self.found(Light::Bad, what)
    }

    fn found(self, light: Light, what: impl Into<String>) -> Finding {
        Finding {
            id: self.id.to_owned(),
            title: self.title.to_owned(),
            light,
            what: what.into(),
            why: self.why.to_owned(),
            todo: None,
            remedies: Vec::new(),
        }
    }
}

impl Finding {
    /// With the object it is about, where there are several.
    #[must_use]
    pub(super) fn about(self, object: impl std::fmt::Display) -> Self {
        Self { id: format!("{} {object}", self.id), ..self }
    }

    /// With what is to be done.
    #[must_use]
    pub(super) fn todo(self, todo: impl Into<String>) -> Self {
        Self { todo: Some(todo.into()), ..self }
    }

    /// With a command that helps.
    #[must_use]
    pub(super) fn command(mut self, command: impl Into<String>) -> Self {
        self.remedies.push(Remedy::Command(command.into()));
        self
    }

    /// With a page that helps.
    #[must_use]
    pub(super) fn page(mut self, path: impl Into<String>) -> Self {
        self.remedies.push(Remedy::Page(path.into()));
        self
    }
}

/// All that was found at one time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Examination {
    /// When, in RFC 3339 and UTC.
    pub at: String,
    /// What, the worst first.
    pub findings: Vec<Finding>,
}

impl Examination {
    /// The worst that was found. What can't be told is no worse than good.
    pub fn light(&self) -> Light {
        let known = self.findings.iter().map(|finding| finding.light).filter(|light| *light != Light::Unknown);
        known.max().unwrap_or(Light::Unknown)
    }

    /// How many stand like that.
    pub fn count(&self, light: Light) -> usize {
        self.findings.iter().filter(|finding| finding.light == light).count()
    }
}
