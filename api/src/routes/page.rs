//! Pages: how many rows one has, and the tokens that name the next one.

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};
use xiangyun_engine::catalog::TableName;
use xiangyun_engine::query::TableVersion;
use xiangyun_engine::{Error, ErrorKind, Result};

use crate::params::Params;

/// The parameter `limit`: `unless_said` without it, and `most` at the most.
pub(super) fn page_rows(params: &mut Params, unless_said: usize, most: usize) -> Result<usize> {
    let limit = params.parsed("limit", "a whole number")?.unwrap_or(unless_said);
    if (1..=most).contains(&limit) {
        return Ok(limit);
    }
    let message = format!("parameter `limit` is {limit}, and should be from 1 to {most}");
    Err(Error::new(ErrorKind::InvalidInput, message))
}

/// A page: where it begins, and the versions of the tables that the first one was read from, so that all pages are of one
/// state however many commits are made meanwhile.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Page {
    /// Rows in front of it.
    pub(super) offset: u64,
    /// None for the first page, and where no table is read.
    pub(super) versions: BTreeMap<TableName, u64>,
}

impl Page {
    /// The page that the parameter `page` names; the first one without it. `question` is what is asked, its pages apart.
    ///
    /// # Errors
    /// `InvalidInput` for what is no token, `Conflict` for one of another question.
    pub(super) fn named(token: Option<&str>, question: &str) -> Result<Self> {
        let Some(token) = token else { return Ok(Self::default()) };
        let malformed = || {
            Error::new(ErrorKind::InvalidInput, "parameter `page` is not a page token")
                .with_hint("take it from `next_page` of the page before")
        };
        let parts: Vec<&str> = token.split('.').collect();
        let [offset, written, bound] = parts.as_slice() else { return Err(malformed()) };
        let offset = u64::from_str_radix(offset, 16).map_err(|_| malformed())?;
        if binding(offset, written, question) != *bound {
            return Err(Error::new(ErrorKind::Conflict, "the page token is of another question")
                .with_hint("start again without `page`"));
        }
        let digits = written
            .as_bytes()
            .chunks(2)
            .map(|pair| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok()));
        let named = String::from_utf8(digits.collect::<Option<Vec<u8>>>().ok_or_else(malformed)?);
        let named = named.map_err(|_| malformed())?;
        let versions = named.split(',').filter(|named| !named.is_empty()).map(|named| {
            let (name, version) = named.split_once('@')?;
            Some((name.parse::<TableName>().ok()?, version.parse::<u64>().ok()?))
        });
        Ok(Self { offset, versions: versions.collect::<Option<BTreeMap<_, _>>>().ok_or_else(malformed)? })
    }

    /// The token of the page that begins `rows` later, of the same `tables`: `<offset>.<versions>.<binding>`, in
    /// hexadecimal, and opaque to callers.
    pub(super) fn next(&self, rows: usize, tables: &[TableVersion], question: &str) -> String {
        let offset = self.offset.saturating_add(rows as u64);
        let versions: Vec<_> = tables.iter().map(|table| format!("{}@{}", table.name, table.version)).collect();
        let written: String = versions.join(",").bytes().map(|byte| format!("{byte:02x}")).collect();
        let bound = binding(offset, &written, question);
        format!("{offset:x}.{written}.{bound}")
    }

    /// Refuses to go on where the tables are not as they were.
    ///
    /// # Errors
    /// `Conflict`.
    pub(super) fn check_still_of(&self, tables: &[TableVersion]) -> Result<()> {
        let moved = tables.iter().find(|table| self.versions.get(&table.name).is_some_and(|at| *at != table.version));
        match moved {
            None => Ok(()),
            Some(table) => {
                let message = format!("`{}` has changed since the page before", table.name);
                Err(Error::new(ErrorKind::Conflict, message).with_hint("start again without `page`"))
            }
        }
    }

    /// Rows in front of it, for what is in memory.
    pub(super) fn skipped(&self) -> usize {
        usize::try_from(self.offset).unwrap_or(usize::MAX)
    }
}

fn binding(offset: u64, versions: &str, question: &str) -> String {
    let digest = Sha256::digest(format!("{offset}\n{versions}\n{question}"));
    digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_page_holds_its_offset_and_versions_and_is_bound_to_the_question() {
        let table = |version| TableVersion { name: "a.b".parse().unwrap(), version, committed_at: None };
        let first = Page::named(None, "SELECT 1").unwrap();
        let token = first.next(300, &[table(7)], "SELECT 1");
        let page = Page::named(Some(&token), "SELECT 1").unwrap();
        assert_eq!((page.offset, page.versions.clone()), (300, BTreeMap::from([("a.b".parse().unwrap(), 7)])));
        assert!(page.check_still_of(&[table(7)]).is_ok());
        assert_eq!(page.check_still_of(&[table(8)]).unwrap_err().kind(), ErrorKind::Conflict);
        assert_eq!(Page::named(Some(&token), "SELECT 2").unwrap_err().kind(), ErrorKind::Conflict);
        let without = Page::named(Some(&first.next(2, &[], "files")), "files").unwrap();
        assert_eq!((without.skipped(), without.versions.len()), (2, 0));
        for bad in ["", "x.y", "12", "-1.aa.bb", "1.2.3.4"] {
            assert_eq!(Page::named(Some(bad), "SELECT 1").unwrap_err().kind(), ErrorKind::InvalidInput, "{bad}");
        }
    }
}
