//! Files -> checked [`Manifest`], or every diagnostic at once.
//!
//! A broken file never hides the others. Never talks to a database or a provider, never resolves a
//! secret, and never asks what time it is: the same files give the same answer everywhere.

mod budget;
mod campaign;
mod check;
mod content;
mod diagnostic;
mod digest;
mod drafting;
mod enrichment;
mod files;
mod finding;
mod http;
mod literal;
mod mail;
mod names;
mod notify;
mod operator;
mod project;
mod raw;
mod rule;
mod schema;
mod segment;
mod shape;
mod source;
mod timing;
mod yaml;

use std::collections::BTreeMap;
use std::path::Path;

use crate::model::{Campaign, Project, Segment, State};

pub use diagnostic::{Diagnostic, Severity};
pub use schema::schemas;

use finding::Findings;
use raw::{RawCampaign, RawProject, RawSegment};
use source::Source;
use yaml::Refusal;

/// Name of the project file.
pub const PROJECT_FILE: &str = "outreach.yaml";
/// Folder of the segments.
pub const SEGMENTS: &str = "segments";
/// Folder of the campaigns.
pub const CAMPAIGNS: &str = "campaigns";
/// Folder of the prompts that fields are drafted from.
pub const PROMPTS: &str = "prompts";

/// Everything that is declared, checked.
#[derive(Debug, Clone, Default)]
pub struct Manifest {
    pub project: Project,
    pub segments: BTreeMap<String, Segment>,
    /// The order in which they take contacts: by priority, highest first, then by number.
    pub campaigns: Vec<Campaign>,
    /// SHA-256 over what is declared: comments, key order and file names do not matter.
    pub digest: String,
    sources: Vec<Source>,
}

impl Manifest {
    /// The campaign of that name.
    pub fn campaign(&self, name: &str) -> Option<&Campaign> {
        self.campaigns.iter().find(|campaign| campaign.name == name)
    }

    /// The same with these campaigns paused, as a person may say beside the files. Its digest stays: that is
    /// what is declared.
    #[must_use]
    pub fn with_paused(mut self, numbers: &[i32]) -> Self {
        for campaign in &mut self.campaigns {
            if campaign.state == State::Active && numbers.contains(&campaign.number) {
                campaign.state = State::Paused;
            }
        }
        self
    }

    /// The text of a file as it was read.
    pub fn text(&self, file: &str) -> Option<&str> {
        self.sources.iter().find(|source| source.path == file).map(|source| source.text.as_str())
    }

    /// An error found later, such as by the database, at its place in the file.
    pub fn diagnostic(
        &self,
        file: &str,
        pointer: &str,
        code: &'static str,
        message: impl Into<String>,
        advice: Option<String>,
    ) -> Diagnostic {
        let message = message.into();
        match self.sources.iter().find(|source| source.path == file) {
            Some(source) => {
                let place = source.document.value_at(pointer);
                Diagnostic { advice, ..source.diagnostic(Severity::Error, code, message, place) }
            }
            None => Diagnostic { advice, ..nowhere(file, code, message) },
        }
    }
}

/// What could be read, and what is wrong.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// Absent when there is any error.
    pub manifest: Option<Manifest>,
    /// The project file alone; absent when it is at fault itself.
    pub project: Option<Project>,
    /// By file and line.
    pub diagnostics: Vec<Diagnostic>,
}

/// Reads the project in a folder.
pub fn load(root: &Path) -> Loaded {
    let (texts, diagnostics) = files::read(root);
    assemble(texts, diagnostics)
}

/// The same for files that are not on disk: pairs of path and text.
pub fn load_sources<P: Into<String>, T: Into<String>>(files: impl IntoIterator<Item = (P, T)>) -> Loaded {
    let texts = files.into_iter().map(|(path, text)| (path.into(), text.into())).collect();
    assemble(texts, Vec::new())
}

fn assemble(texts: BTreeMap<String, String>, mut diagnostics: Vec<Diagnostic>) -> Loaded {
    // A file that cannot be read may declare anything: names are not called unknown for it.
    let mut complete = !diagnostics.iter().any(Diagnostic::is_error);
    let mut sources = Vec::new();
    let mut budget = budget::Budget::default();
    let mut prompts = BTreeMap::new();
    for (path, text) in texts {
        if files::is_prompt(&path) {
            prompts.insert(path, text);
            continue;
        }
        let Some(kind) = files::kind(&path) else { continue };
        let mut source = Source { path, kind, text, document: yaml::Document::default() };
        match yaml::parse(&source.text, &mut budget) {
            Ok((document, duplicates)) => {
                source.document = document;
                diagnostics.extend(duplicates.into_iter().map(|refusal| refused(&source, refusal)));
                sources.push(source);
            }
            Err(refusal) => {
                complete = false;
                diagnostics.push(refused(&source, refusal));
                if budget.is_spent() {
                    break;
                }
            }
        }
    }
    let mut declared = check::Declared::read(&sources, &prompts, &mut diagnostics);
    declared.complete = complete;
    check::across(&declared, &sources, &mut diagnostics);
    diagnostics.sort_by(|a, b| {
        (&a.file, a.line, a.column, a.severity, a.code).cmp(&(&b.file, b.line, b.column, b.severity, b.code))
    });
    diagnostics.dedup();
    let failed = diagnostics.iter().any(Diagnostic::is_error);
    let faulty = diagnostics.iter().any(|one| one.is_error() && one.file == PROJECT_FILE);
    let project = (!faulty).then(|| declared.project.clone());
    let manifest = (!failed).then(|| declared.into_manifest(sources));
    Loaded { manifest, project, diagnostics }
}

fn refused(source: &Source, refusal: Refusal) -> Diagnostic {
    let Refusal { code, message, place, advice } = refusal;
    Diagnostic { advice, ..source.diagnostic(Severity::Error, code, message, place) }
}

/// A diagnostic about a file as a whole.
fn nowhere(file: &str, code: &'static str, message: String) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error,
        code,
        message,
        file: file.to_owned(),
        line: 1,
        column: 1,
        length: 1,
        advice: None,
        snippet: None,
    }
}

/// Reads and checks each file for itself.
fn read_project(source: &Source) -> (Project, Vec<Diagnostic>) {
    let mut findings = Findings::new(source);
    // A project file with nothing but comments declares the defaults.
    if source.document.value.is_null() {
        return (Project::default(), findings.into_list());
    }
    let raw: RawProject = shape::PROJECT.read(&mut findings, "", &source.document.value);
    let project = project::check(&mut findings, raw);
    (project, findings.into_list())
}

fn read_segment(source: &Source) -> (Option<String>, Option<Segment>, Vec<Diagnostic>) {
    let mut findings = Findings::new(source);
    let raw: RawSegment = shape::SEGMENT.read(&mut findings, "", &source.document.value);
    let name = raw.segment.clone();
    let segment = segment::check(&mut findings, raw);
    (name, segment, findings.into_list())
}

fn read_campaign(
    source: &Source,
    project: &Project,
    prompts: &BTreeMap<String, String>,
) -> (check::Identity, Option<Campaign>, Vec<Diagnostic>) {
    let mut findings = Findings::new(source);
    let raw: RawCampaign = shape::CAMPAIGN.read(&mut findings, "", &source.document.value);
    let identity = check::Identity {
        name: raw.campaign.clone(),
        number: raw.number,
        segment: raw.segment.clone(),
        exit: raw.exit.clone(),
        provider: raw.provider.clone(),
    };
    let campaign = campaign::check(&mut findings, raw, &project.defaults, prompts);
    (identity, campaign, findings.into_list())
}
