//! Names of segments, campaigns and providers: they appear in file names, URLs and commands.

use super::finding::Findings;

/// Longest name; it becomes a file name of the `file` provider.
const MAX_NAME: usize = 64;

/// The name, if it is one.
pub(super) fn check(findings: &mut Findings<'_>, pointer: &str, name: Option<String>) -> Option<String> {
    let name = name?;
    if is_name(&name) {
        return Some(name);
    }
    findings
        .error(pointer, "bad-name", format!("`{name}` is not a name"))
        .advise("use lower-case letters, digits and single hyphens, at most 64: `fintech-cto-q4`");
    None
}

pub(super) fn is_name(name: &str) -> bool {
    name.len() <= MAX_NAME
        && name.split('-').all(|part| {
            !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit())
        })
}
