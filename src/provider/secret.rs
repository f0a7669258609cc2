//! Turns references to secrets into their values, at the moment a provider is opened.
//!
//! Values live in `SecretString`, which prints nothing; errors name the reference only.

pub mod resolve {
    //! Look-ups of references.

    use std::path::Path;

    use secrecy::SecretString;

    use crate::model::SecretRef;
    use crate::provider::ProviderError;

    /// The secret behind a reference; relative files are below the project folder.
    pub fn reference(secret: &SecretRef, root: &Path) -> Result<SecretString, ProviderError> {
        match secret {
            SecretRef::Env(name) => variable(name).map(SecretString::from),
            SecretRef::File(path) => std::fs::read_to_string(root.join(path))
                .map(|text| SecretString::from(text.trim().to_owned()))
                .map_err(|source| ProviderError::SecretFile { path: path.display().to_string(), source }),
        }
    }

    /// A setting that is either plain text or `${NAME}`.
    pub fn text(value: &str) -> Result<String, ProviderError> {
        match SecretRef::parse(value) {
            Some(SecretRef::Env(name)) => variable(&name),
            _ => Ok(value.to_owned()),
        }
    }

    fn variable(name: &str) -> Result<String, ProviderError> {
        std::env::var(name).map_err(|_| ProviderError::MissingVariable(name.to_owned()))
    }
}
