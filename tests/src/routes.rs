//! The routes of the web, read from its source: what is forgotten in a list is forgotten in a test.

use std::fs;
use std::path::{Path, PathBuf};

/// A path with its parameters in braces, and how it may be asked for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Route {
    /// Such as `/queue/{id}/retry`.
    pub path: String,
    /// It shows something.
    pub get: bool,
    /// It does something.
    pub post: bool,
}

/// All routes under these folders.
///
/// # Panics
/// When a route is written in a way that is not understood here.
pub fn of(folders: &[&Path]) -> Vec<Route> {
    let texts: Vec<String> = folders.iter().flat_map(|folder| files(folder)).map(|file| source(&file)).collect();
    let mut routes = Vec::new();
    for text in &texts {
        let mut rest = text.as_str();
        while let Some((_, after)) = rest.split_once(".route(") {
            let call = balanced(after).unwrap_or_else(|| panic!("a route without an end: {after:.80}"));
            rest = &after[call.len()..];
            // A question of the store's, not of the web.
            let Some((first, handlers)) = call.split_once(',') else { continue };
            let name = first.trim();
            let path = match name.strip_prefix('"') {
                Some(path) => path.trim_end_matches('"').to_owned(),
                None => constant(text, name)
                    .or_else(|| texts.iter().find_map(|other| constant(other, name)))
                    .unwrap_or_else(|| panic!("which path is {name}?")),
            };
            let (get, post) = (handlers.contains("get("), handlers.contains("post("));
            assert!(get || post, "how is {path} asked for? {handlers}");
            routes.push(Route { path, get, post });
        }
    }
    routes.sort();
    routes
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let paths = entries.map(|entry| entry.unwrap().path());
    paths.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// A file without its tests.
fn source(file: &Path) -> String {
    let text = fs::read_to_string(file).unwrap();
    text.split("#[cfg(test)]").next().unwrap_or_default().to_owned()
}

fn balanced(text: &str) -> Option<&str> {
    let mut depth = 1;
    for (at, character) in text.char_indices() {
        match character {
            '(' => depth += 1,
            ')' => depth -= 1,
            _ => {}
        }
        if depth == 0 {
            return text.get(..at);
        }
    }
    None
}

fn constant(text: &str, name: &str) -> Option<String> {
    let (_, after) = text.split_once(&format!("const {}: &str = \"", name.rsplit("::").next()?))?;
    Some(after.split('"').next()?.to_owned())
}
