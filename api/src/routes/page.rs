//! Pages: how many rows one has, and tokens, which are an offset bound to what was asked and to the versions that answered.

use sha2::{Digest, Sha256};
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

/// `<offset>.<binding>`, both in hexadecimal: opaque to callers.
pub(super) struct PageToken;

impl PageToken {
    pub(super) fn encode(offset: u64, binding: &str) -> String {
        format!("{offset:x}.{binding}")
    }

    pub(super) fn binding(question: &str, versions: &str) -> String {
        let digest = Sha256::digest(format!("{question}\n{versions}"));
        digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    pub(super) fn offset(token: &str) -> Result<u64> {
        let offset = token.split_once('.').and_then(|(offset, _)| u64::from_str_radix(offset, 16).ok());
        offset.ok_or_else(|| {
            Error::new(ErrorKind::InvalidInput, "parameter `page` is not a page token")
                .with_hint("take it from `next_page` of the page before")
        })
    }

    pub(super) fn check(token: &str, binding: &str) -> Result<()> {
        match token.split_once('.') {
            Some((_, bound)) if bound == binding => Ok(()),
            _ => Err(Error::new(ErrorKind::Conflict, "the table or the question has changed since the page before")
                .with_hint("start again without `page`")),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    #[test]
    fn a_page_token_holds_its_offset_and_is_bound_to_the_question() {
        let binding = PageToken::binding("SELECT 1", "a.b@1");
        let token = PageToken::encode(300, &binding);
        assert_eq!(PageToken::offset(&token).unwrap(), 300);
        assert!(PageToken::check(&token, &binding).is_ok());
        let other = PageToken::binding("SELECT 1", "a.b@2");
        assert_eq!(PageToken::check(&token, &other).unwrap_err().kind(), ErrorKind::Conflict);
        for bad in ["", "x.y", "12", "-1.aa"] {
            assert_eq!(PageToken::offset(bad).unwrap_err().kind(), ErrorKind::InvalidInput, "{bad}");
        }
    }
}
