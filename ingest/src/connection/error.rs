//! Why a connection cannot be used.

use xiangyun_engine::error::{Classify, ErrorKind};

/// Why a connection cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConnectionError {
    /// No such connection.
    #[error("there is no connection `{name}`")]
    Unknown {
        /// As the pipeline says.
        name: String,
        /// One that is there and is called alike.
        near: Option<String>,
    },
    /// A secret that is declared and cannot be had.
    #[error("the secret of connection `{connection}` is not in {place}")]
    NoSecret {
        /// The connection.
        connection: String,
        /// Where it should be.
        place: String,
        /// Why it cannot be read, for a file.
        source: Option<std::io::Error>,
    },
}

impl Classify for ConnectionError {
    fn kind(&self) -> ErrorKind {
        ErrorKind::InvalidInput
    }

    fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Unknown { near: Some(near), .. } => format!("did you mean `{near}`?"),
            Self::Unknown { name, near: None } => format!("declare it in connections/{name}.toml"),
            Self::NoSecret { place, .. } => format!("put it into {place} before the load"),
        })
    }
}
