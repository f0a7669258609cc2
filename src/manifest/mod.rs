//! Stub.
use crate::model::*;
pub struct Manifest { pub project: Project, pub segments: std::collections::BTreeMap<String, Segment>, pub campaigns: Vec<Campaign>, pub digest: String }
