//! Secrets: read when they are used, shown nowhere.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use super::definition::SecretDef;
use super::error::ConnectionError;

/// What the name of an environment variable that holds a secret begins with.
pub const SECRET_PREFIX: &str = "XIANGYUN_SECRET_";

/// The process's variables that begin with [`SECRET_PREFIX`].
#[derive(Clone, Default)]
pub struct Secrets(Arc<BTreeMap<String, String>>);

impl Secrets {
    /// Keeps the variables whose names begin with [`SECRET_PREFIX`].
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        let kept = variables.into_iter().filter(|(name, _)| name.starts_with(SECRET_PREFIX));
        Self(Arc::new(kept.collect()))
    }

    pub(super) fn read(
        &self,
        root: &Path,
        connection: &str,
        secret: &SecretDef,
    ) -> Result<SecretText, ConnectionError> {
        let missing =
            |place: String, source| ConnectionError::NoSecret { connection: connection.into(), place, source };
        match secret {
            SecretDef::Env(name) => match self.0.get(name) {
                Some(text) => Ok(SecretText(text.clone())),
                None => Err(missing(format!("the environment variable {name}"), None)),
            },
            SecretDef::File(path) => match fs::read_to_string(root.join(path)) {
                Ok(text) => Ok(SecretText(text.trim_end().to_owned())),
                Err(error) => Err(missing(format!("the file {path}"), Some(error))),
            },
        }
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// A secret. It is printed by nothing.
#[derive(Clone)]
pub struct SecretText(String);

impl SecretText {
    /// A secret that was found elsewhere.
    pub fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself, for whoever logs in with it.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for SecretText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("********")
    }
}
