//! References to secrets: a manifest names where a secret is, never what it is.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

/// Where a secret value is found when it is needed.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum SecretRef {
    /// `${NAME}`: an environment variable.
    Env(String),
    /// `file:/run/secrets/x`: the trimmed content of a file.
    File(PathBuf),
}

impl SecretRef {
    /// Reads a reference; anything else could be a literal secret and is refused.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(path) = text.strip_prefix("file:") {
            return (!path.is_empty()).then(|| Self::File(PathBuf::from(path)));
        }
        let name = text.strip_prefix("${")?.strip_suffix('}')?;
        let valid = !name.is_empty()
            && !name.starts_with(|c: char| c.is_ascii_digit())
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        valid.then(|| Self::Env(name.to_owned()))
    }
}

impl fmt::Display for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Env(name) => write!(f, "${{{name}}}"),
            Self::File(path) => write!(f, "file:{}", path.display()),
        }
    }
}

impl fmt::Debug for SecretRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for SecretRef {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
