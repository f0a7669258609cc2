//! Rules that hold between files: a file for each family.

mod mail;
mod mirror;
mod references;
mod size;
mod smartlead;
mod uniqueness;

use std::collections::{BTreeMap, BTreeSet};

use super::diagnostic::{Diagnostic, Severity};
use super::source::{FileKind, Source};
use super::yaml::MAX_FINDINGS;
use super::{Manifest, digest, read_campaign, read_project, read_segment};
use crate::model::{Campaign, Project, Segment};

/// What a campaign's file says about it, also when the rest of the file is broken.
#[derive(Debug, Clone, Default)]
pub(super) struct Identity {
    pub name: Option<String>,
    pub number: Option<i32>,
    pub segment: Option<String>,
    pub exit: Option<String>,
    pub provider: Option<String>,
}

/// Everything that was declared, sound or not.
#[derive(Debug, Default)]
pub(super) struct Declared {
    pub(super) project: Project,
    /// Providers by name, also those whose settings are wrong.
    providers: BTreeSet<String>,
    /// Position of the source, name, and the segment where it is sound.
    segments: Vec<(usize, Option<String>, Option<Segment>)>,
    campaigns: Vec<(usize, Identity, Option<Campaign>)>,
    /// Every file could be read, so that a name nobody declares is unknown indeed.
    pub complete: bool,
}

impl Declared {
    /// Reads each source for itself.
    pub(super) fn read(
        sources: &[Source],
        prompts: &BTreeMap<String, String>,
        diagnostics: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut declared = Self::default();
        if let Some(source) = sources.iter().find(|source| source.kind == FileKind::Project) {
            let (project, mut found) = read_project(source);
            let named = source.document.value.get("providers").and_then(serde_json::Value::as_object);
            declared.providers = named.into_iter().flat_map(|map| map.keys().cloned()).collect();
            declared.project = project;
            diagnostics.append(&mut found);
        }
        for (index, source) in sources.iter().enumerate() {
            match source.kind {
                FileKind::Project => {}
                FileKind::Segment => {
                    let (name, segment, mut found) = read_segment(source);
                    declared.segments.push((index, name, segment));
                    diagnostics.append(&mut found);
                }
                FileKind::Campaign => {
                    let (identity, campaign, mut found) = read_campaign(source, &declared.project, prompts);
                    declared.campaigns.push((index, identity, campaign));
                    diagnostics.append(&mut found);
                }
            }
        }
        declared
    }

    fn segment(&self, name: &str) -> Option<&Segment> {
        self.segments.iter().find(|(_, known, _)| known.as_deref() == Some(name))?.2.as_ref()
    }

    /// The manifest; called when nothing is wrong, so that nothing is left out.
    pub(super) fn into_manifest(self, sources: Vec<Source>) -> Manifest {
        let segments: BTreeMap<String, Segment> = self
            .segments
            .into_iter()
            .filter_map(|(_, _, segment)| segment.map(|segment| (segment.name.clone(), segment)))
            .collect();
        let mut campaigns: Vec<Campaign> =
            self.campaigns.into_iter().filter_map(|(_, _, campaign)| campaign).collect();
        campaigns.sort_by_key(|campaign| (std::cmp::Reverse(campaign.priority), campaign.number));
        let digest = digest::of(&self.project, &segments, &campaigns);
        Manifest { project: self.project, segments, campaigns, digest, sources }
    }
}

/// Runs every rule.
pub(super) fn across(declared: &Declared, sources: &[Source], diagnostics: &mut Vec<Diagnostic>) {
    let mut report = Report { sources, counts: vec![0; sources.len()], diagnostics };
    uniqueness::check(declared, &mut report);
    references::check(declared, &mut report);
    mirror::check(declared, &mut report);
    smartlead::check(declared, &mut report);
    mail::check(declared, &mut report);
    size::check(declared, &mut report);
    nothing_is_lost(declared, &mut report);
}

/// The net under all other checks: a file that is not understood is never left out in silence.
fn nothing_is_lost(declared: &Declared, report: &mut Report<'_>) {
    let segments = declared.segments.iter().map(|(source, _, segment)| (*source, segment.is_some()));
    let campaigns = declared.campaigns.iter().map(|(source, _, campaign)| (*source, campaign.is_some()));
    let errors = report.diagnostics.iter().filter(|found| found.is_error());
    let explained: BTreeSet<String> = errors.map(|found| found.file.clone()).collect();
    for (source, sound) in segments.chain(campaigns) {
        if !sound && !explained.contains(&report.sources[source].path) {
            report.error(source, "", "not-understood", "this file is not understood".to_owned(), None);
        }
    }
}

/// Where the rules put what they find.
struct Report<'a> {
    sources: &'a [Source],
    /// Findings by source.
    counts: Vec<usize>,
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Report<'_> {
    fn add(
        &mut self,
        severity: Severity,
        source: usize,
        pointer: &str,
        code: &'static str,
        message: String,
        advice: Option<String>,
    ) {
        if self.is_full(source) {
            return;
        }
        self.counts[source] += 1;
        let source = &self.sources[source];
        let place = source.document.value_at(pointer);
        self.diagnostics.push(Diagnostic { advice, ..source.diagnostic(severity, code, message, place) });
    }

    fn error(
        &mut self,
        source: usize,
        pointer: &str,
        code: &'static str,
        message: String,
        advice: Option<String>,
    ) {
        self.add(Severity::Error, source, pointer, code, message, advice);
    }

    /// Enough has been said about this file.
    fn is_full(&self, source: usize) -> bool {
        self.counts[source] >= MAX_FINDINGS
    }

    /// `segments/a.yaml:3`.
    fn place(&self, source: usize, pointer: &str) -> String {
        let source = &self.sources[source];
        format!("{}:{}", source.path, source.document.value_at(pointer).line)
    }
}
