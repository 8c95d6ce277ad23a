//! Declared things that are found by their name.

use crate::error::{Error, ErrorKind, Result};
use crate::project::nearest;

/// The one of `all` that is called `name`; `kind` says what they are.
///
/// # Errors
/// `NotFound`, with the nearest name.
pub(super) fn named<T>(kind: &str, name: &str, mut all: Vec<T>, name_of: impl Fn(&T) -> &str) -> Result<T> {
    if let Some(at) = all.iter().position(|one| name_of(one) == name) {
        return Ok(all.swap_remove(at));
    }
    let error = Error::new(ErrorKind::NotFound, format!("there is no {kind} `{name}`"));
    Err(match nearest(name, all.iter().map(name_of)) {
        Some(known) => error.with_hint(format!("did you mean `{known}`?")),
        None => error,
    })
}
