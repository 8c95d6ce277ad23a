//! Systems outside the lake that rows come from: declared by name, their secrets kept out of the project.

mod definition;
mod error;
mod secret;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use xiangyun_engine::project::{Diagnostics, Document, load_folder, nearest};

pub use definition::{ConnectionDef, SecretDef, Tls};
pub use error::ConnectionError;
pub use secret::{SECRET_PREFIX, SecretText, Secrets};

/// The project's connections with what is needed to use them. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub struct Connections {
    root: PathBuf,
    documents: Arc<[Document<ConnectionDef>]>,
    secrets: Secrets,
}

impl Connections {
    /// The connections of the project at `root`; their secrets come from `secrets` and from files.
    pub fn new(root: &Path, documents: Vec<Document<ConnectionDef>>, secrets: Secrets) -> Self {
        Self { root: root.to_path_buf(), documents: documents.into(), secrets }
    }

    /// The connection called `name`.
    ///
    /// # Errors
    /// [`ConnectionError::Unknown`].
    pub fn get(&self, name: &str) -> Result<&ConnectionDef, ConnectionError> {
        let found = self.documents.iter().find(|document| document.def.name == name);
        found.map(|document| &*document.def).ok_or_else(|| ConnectionError::Unknown {
            name: name.into(),
            near: nearest(name, self.names()).map(str::to_owned),
        })
    }

    /// The password, secret key or token of `connection`; none where it declares none.
    ///
    /// # Errors
    /// [`ConnectionError::NoSecret`] where it is declared and cannot be had.
    pub fn secret_of(&self, connection: &ConnectionDef) -> Result<Option<SecretText>, ConnectionError> {
        connection.secret.as_ref().map(|secret| self.secrets.read(&self.root, &connection.name, secret)).transpose()
    }

    fn names(&self) -> impl Iterator<Item = &str> {
        self.documents.iter().map(|document| document.def.name.as_str())
    }
}

/// Reads `connections/*.toml`; faults go to `diagnostics`, faulty ones are left out.
pub(crate) fn load_connections(root: &Path, diagnostics: &mut Diagnostics) -> Vec<Document<ConnectionDef>> {
    let mut accepted: Vec<Document<ConnectionDef>> = Vec::new();
    for document in load_folder::<ConnectionDef>(root, diagnostics) {
        let mut faults = definition::faults(&document);
        if let Some(twin) = accepted.iter().find(|other| other.def.name == document.def.name) {
            let message = format!("connection `{}` is declared in {} already", twin.def.name, twin.place_of(&["name"]));
            faults.push(document.fault(&["name"], message).with_hint("rename one of them"));
        }
        if faults.is_empty() {
            accepted.push(document);
        }
        faults.into_iter().for_each(|fault| diagnostics.push(fault));
    }
    accepted
}

#[cfg(test)]
mod tests;
