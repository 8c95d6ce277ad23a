//! The first reading of a file: its hash, and its encoding from the whole of it.

use std::sync::mpsc::{channel, sync_channel};

use xiangyun_engine::catalog::RunSource;

use super::super::SourceError;
use super::super::file::{Content, Detector, Encoding, SourceFile};

/// Bytes looked at at a time.
const PIECE_BYTES: usize = 256 << 10;

/// Pieces that the detector may be behind.
const BEHIND: usize = 4;

/// Stored bytes from which on a second thread is worth starting.
const LARGE_BYTES: u64 = 4 << 20;

/// Hashes a file and decides its encoding, unless that is `declared`.
pub(super) fn inspect(file: &SourceFile, declared: Option<Encoding>) -> Result<(Encoding, RunSource), SourceError> {
    let mut content = Content::open(file)?;
    let is_large = std::fs::metadata(&file.path).is_ok_and(|metadata| metadata.len() >= LARGE_BYTES);
    let detected = match declared {
        Some(encoding) => pieces(&mut content, |_| ())?.then_some(encoding),
        None if is_large => detect_beside(&mut content)?,
        None => {
            let mut detector = Detector::default();
            pieces(&mut content, |piece| detector.push(piece))?.then(|| detector.decide())
        }
    };
    let Some(encoding) = detected else { return Err(SourceError::Empty { path: file.name.clone() }) };
    let stored = content.finish()?;
    let record = RunSource {
        path: file.name.clone(),
        size_bytes: stored.size_bytes,
        sha256: stored.sha256,
        encoding: Some(encoding.name().into()),
    };
    Ok((encoding, record))
}

/// Reads the content to its end. Whether there was any.
fn pieces(content: &mut Content, mut look: impl FnMut(&[u8])) -> Result<bool, SourceError> {
    let (mut piece, mut is_empty) = (vec![0; PIECE_BYTES], true);
    loop {
        match content.read(&mut piece)? {
            0 => return Ok(!is_empty),
            count => {
                is_empty = false;
                look(&piece[..count]);
            }
        }
    }
}

/// Decides on a thread of its own, while this one unpacks and hashes; none where there is no content.
fn detect_beside(content: &mut Content) -> Result<Option<Encoding>, SourceError> {
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<(Vec<u8>, usize)>(BEHIND);
        let (used_sender, used) = channel();
        let detecting = scope.spawn(move || {
            let (mut detector, mut is_empty) = (Detector::default(), true);
            for (piece, count) in receiver {
                is_empty = false;
                detector.push(&piece[..count]);
                // The reader may have ended.
                let _ = used_sender.send(piece);
            }
            (!is_empty).then(|| detector.decide())
        });
        loop {
            let mut piece = used.try_recv().unwrap_or_else(|_| vec![0; PIECE_BYTES]);
            match content.read(&mut piece)? {
                0 => break,
                count => {
                    if sender.send((piece, count)).is_err() {
                        break;
                    }
                }
            }
        }
        drop(sender);
        match detecting.join() {
            Ok(encoding) => Ok(encoding),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}
