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

impl Finding {
    /// All is well.
    pub fn good(id: impl Into<String>, title: &str, what: impl Into<String>, why: &str) -> Self {
        Self::of(Light::Good, id, title, what, why)
    }

    /// It can't be told.
    pub fn unknown(id: impl Into<String>, title: &str, what: impl Into<String>, why: &str) -> Self {
        Self::of(Light::Unknown, id, title, what, why)
    }

    /// Something should be done soon.
    pub fn warning(id: impl Into<String>, title: &str, what: impl Into<String>, why: &str) -> Self {
        Self::of(Light::Warning, id, title, what, why)
    }

    /// Something must be done.
    pub fn bad(id: impl Into<String>, title: &str, what: impl Into<String>, why: &str) -> Self {
        Self::of(Light::Bad, id, title, what, why)
    }

    fn of(light: Light, id: impl Into<String>, title: &str, what: impl Into<String>, why: &str) -> Self {
        Self {
            id: id.into(),
            title: title.to_owned(),
            light,
            what: what.into(),
            why: why.to_owned(),
            todo: None,
            remedies: Vec::new(),
        }
    }

    /// With what is to be done.
    #[must_use]
    pub fn todo(self, todo: impl Into<String>) -> Self {
        Self { todo: Some(todo.into()), ..self }
    }

    /// With a command that helps.
    #[must_use]
    pub fn command(mut self, command: impl Into<String>) -> Self {
        self.remedies.push(Remedy::Command(command.into()));
        self
    }

    /// With a page that helps.
    #[must_use]
    pub fn page(mut self, path: impl Into<String>) -> Self {
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
