//! What all kinds of files have in common: where they are.

/// Where a source's files are and what of them is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileLocation<'a> {
    /// File, folder, pattern or URL.
    pub path: &'a str,
    /// The connection that `path` is reached by.
    pub connection: Option<&'a str>,
    /// Pattern of the entries that are read of archives.
    pub entries: Option<&'a str>,
    /// GiB that a file may have when it is decompressed.
    pub expanded_limit_gib: Option<u64>,
}

impl<'a> FileLocation<'a> {
    /// A path with nothing said besides.
    pub fn of_path(path: &'a str) -> Self {
        Self { path, connection: None, entries: None, expanded_limit_gib: None }
    }
}

/// Gives a source with the keys `path`, `connection`, `entries` and `expanded_limit_gib` its location.
macro_rules! located {
    ($source:ty) => {
        impl $source {
            /// Where its files are.
            pub fn location(&self) -> super::FileLocation<'_> {
                super::FileLocation {
                    path: &self.path,
                    connection: self.connection.as_deref(),
                    entries: self.entries.as_deref(),
                    expanded_limit_gib: self.expanded_limit_gib,
                }
            }
        }
    };
}

pub(super) use located;
