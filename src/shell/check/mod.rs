//! `flowswitch check`: the linter over files and directories.

mod report;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::fetch::OutboundPolicy;
use super::flow_files::{self, PathError, Wanted};
use crate::flow::lint::{Finding, Outline, Severity, Surroundings, check, outline};
use crate::store::network::Network;

/// How findings are printed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For people
    #[default]
    Text,
    /// An array of findings
    Json,
    /// SARIF 2.1.0, for code hosts
    Sarif,
}

/// What of the findings makes a check fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Deny {
    /// Warnings, beside errors
    Warnings,
}

/// Options of `flowswitch check`.
#[derive(Debug, clap::Args)]
pub struct CheckOptions {
    /// Flow files, or directories of them; NAME.test.json is left to `flowswitch test`
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// How to print what is found
    #[arg(long, value_enum, default_value_t)]
    pub format: Format,
    /// Fail on warnings too
    #[arg(long, value_enum)]
    pub deny: Option<Deny>,
    /// Configuration file, whose outbound_http.allow names networks that URLs may lead to
    #[arg(long, value_name = "FILE", env = "FLOWSWITCH_CONFIG")]
    pub config: Option<PathBuf>,
}

/// Why a check could not be made.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// A path cannot be read.
    #[error(transparent)]
    Path(#[from] PathError),
    /// The findings cannot be printed.
    #[error("cannot print: {0}")]
    Print(#[from] io::Error),
    /// There is nothing to check.
    #[error("there is no flow (NAME.json) in what was named")]
    NoFlow,
}

/// What was found in one file.
pub(super) struct Checked {
    pub(super) file: PathBuf,
    pub(super) findings: Vec<Finding>,
}

/// Checks all flows that the options name, with URLs judged by a policy that allows `allow`, and prints
/// what is found. Whether all is well.
///
/// # Errors
/// A path cannot be read, or the output not be written.
pub fn run(
    options: &CheckOptions,
    allow: Vec<Network>,
    out: &mut impl Write,
) -> Result<bool, CheckError> {
    let files = flow_files::find(&options.paths, Wanted::Flows)?;
    if files.is_empty() {
        return Err(CheckError::NoFlow);
    }
    let policy = OutboundPolicy { allow };
    let mut directories = BTreeMap::new();
    let mut checked = Vec::with_capacity(files.len());
    for file in files {
        let text = flow_files::read(&file)?;
        let directory = flow_files::directory_of(&file).to_owned();
        if !directories.contains_key(&directory) {
            let neighbours = Neighbours::read(&directory)?;
            directories.insert(directory.clone(), neighbours);
        }
        let findings = match directories.get(&directory) {
            Some(neighbours) => neighbours.check(&file, &text, &policy),
            None => Vec::new(),
        };
        checked.push(Checked { file, findings });
    }
    report::print(&checked, options.format, out)?;
    let worst = checked
        .iter()
        .flat_map(|file| &file.findings)
        .map(|finding| finding.rule.severity())
        .max();
    let limit = if options.deny == Some(Deny::Warnings) {
        Severity::Warning
    } else {
        Severity::Error
    };
    Ok(worst.is_none_or(|worst| worst < limit))
}

/// The flows of one directory: those that a flow in it can fetch.
struct Neighbours {
    outlines: BTreeMap<PathBuf, Outline>,
    names: BTreeSet<String>,
}

impl Neighbours {
    fn read(directory: &Path) -> Result<Self, PathError> {
        let mut outlines = BTreeMap::new();
        let mut names = BTreeSet::new();
        for file in flow_files::flows_in(directory)? {
            let outline = outline(&flow_files::read(&file)?);
            names.extend(names_of(&file, &outline));
            outlines.insert(file, outline);
        }
        Ok(Self { outlines, names })
    }

    fn check(&self, file: &Path, text: &[u8], policy: &OutboundPolicy) -> Vec<Finding> {
        let own = outline(text);
        let own_names = names_of(file, &own);
        let others = || {
            let files = self.outlines.iter();
            files.filter(|(path, _)| path.file_name() != file.file_name())
        };
        let is_fetched = others().any(|(_, other)| !other.fetches.is_disjoint(&own_names));
        let mut outer_ids = BTreeSet::new();
        let mut outer_targets = BTreeSet::new();
        for (_, other) in others() {
            if is_fetched && !other.fetches.is_empty() {
                outer_ids.extend(other.action_ids.iter().cloned());
            }
            if !own.fetches.is_empty() {
                outer_targets.extend(other.targets.iter().cloned());
            }
        }
        check(
            text,
            &Surroundings {
                flows: Some(&self.names),
                is_fetched,
                outer_ids: &outer_ids,
                outer_targets: &outer_targets,
                permits: &|address| policy.permits(address),
            },
        )
    }
}

/// What flows may call this one by.
fn names_of(file: &Path, outline: &Outline) -> BTreeSet<String> {
    let names = [outline.id.clone(), outline.name.clone()];
    let mut names: BTreeSet<String> = names.into_iter().flatten().collect();
    names.insert(flow_files::stem_of(file));
    names
}

#[cfg(test)]
mod tests;
