//! The encoding that a file's XML declaration names.

use super::bad;
use crate::source::SourceError;
use crate::source::file::{Content, Encoding, SourceFile};

/// Bytes in which the declaration stands.
const START_BYTES: usize = 1024;

/// The encoding that is declared; none where the bytes decide: a byte order mark, two bytes a character, or no
/// declaration.
///
/// # Errors
/// For an encoding that is not read.
pub(super) fn declared(file: &SourceFile) -> Result<Option<Encoding>, SourceError> {
    let (mut content, mut start, mut count) = (Content::open(file)?, vec![0; START_BYTES], 0);
    while count < start.len() {
        match content.read(&mut start[count..])? {
            0 => break,
            more => count += more,
        }
    }
    let Some(name) = name(&start[..count]) else { return Ok(None) };
    let known = match name.to_ascii_lowercase().as_str() {
        "us-ascii" | "ascii" => "utf-8".to_owned(),
        "gb_2312-80" | "x-gbk" | "cp936" | "ms936" | "windows-936" => "gb18030".into(),
        "big5-hkscs" | "cp950" => "big5".into(),
        // Its own bytes say which of the two.
        other if other.starts_with("utf-16") || other.starts_with("ucs-2") => return Ok(None),
        other => other.into(),
    };
    if known == "auto" {
        return Err(bad(&file.name, format!("its encoding `{name}` is not read")));
    }
    Encoding::declared(&known).map_err(|_| bad(&file.name, format!("its encoding `{name}` is not read")))
}

fn name(start: &[u8]) -> Option<String> {
    let end = start.windows(2).position(|bytes| bytes == b"?>")?;
    let declaration = std::str::from_utf8(&start[..end]).ok()?.strip_prefix("<?xml")?;
    let (_, value) = declaration.split_once("encoding")?;
    let value = value.trim_start().strip_prefix('=')?.trim_start();
    let quote = value.chars().next().filter(|quote| matches!(quote, '"' | '\''))?;
    value[1..].split_once(quote).map(|(name, _)| name.trim().to_owned())
}
