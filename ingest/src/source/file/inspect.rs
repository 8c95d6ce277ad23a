//! The first reading of a file: its hash, and its encoding from the whole of it.

use std::sync::mpsc::{channel, sync_channel};

use xiangyun_engine::catalog::RunSource;

use super::{Content, Detector, Encoding, Fingerprint, SourceFile};
use crate::source::SourceError;

/// Bytes looked at at a time.
const PIECE_BYTES: usize = 256 << 10;

/// Pieces that the detector may be behind.
const BEHIND: usize = 4;

/// Bytes of content from which on a second thread is worth starting.
const LARGE_BYTES: usize = 4 << 20;

/// What the first reading finds.
#[derive(Debug, Clone)]
pub(in crate::source) struct Inspected {
    pub(in crate::source) encoding: Encoding,
    pub(in crate::source) record: RunSource,
    pub(in crate::source) fingerprint: Fingerprint,
}

impl Inspected {
    /// # Errors
    /// [`SourceError::Changed`] where another reading gave other bytes.
    pub(in crate::source) fn compare(&self, again: Fingerprint) -> Result<(), SourceError> {
        if again == self.fingerprint { Ok(()) } else { Err(SourceError::Changed { path: self.record.path.clone() }) }
    }
}

/// Hashes a file and decides its encoding, unless that is `declared`.
pub(in crate::source) fn inspect(file: &SourceFile, declared: Option<Encoding>) -> Result<Inspected, SourceError> {
    let mut content = Content::open(file)?;
    let mut detector = Detector::default();
    let look = |piece: &[u8]| {
        if declared.is_none() {
            detector.push(piece);
        }
    };
    let detected = match pieces(&mut content, look)? {
        0 => None,
        count if count < LARGE_BYTES => Some(declared.unwrap_or_else(|| detector.decide())),
        _ if declared.is_none() => Some(detect_beside(&mut content, detector)?),
        _ => declared,
    };
    let Some(encoding) = detected else { return Err(SourceError::Empty { path: file.name.clone() }) };
    // What is left where nobody had to look at it.
    let stored = content.finish()?;
    let record = RunSource {
        path: file.name.clone(),
        size_bytes: stored.size_bytes,
        sha256: stored.sha256,
        encoding: Some(encoding.name().into()),
    };
    Ok(Inspected { encoding, record, fingerprint: stored.fingerprint })
}

/// Reads the beginning of the content: at least [`LARGE_BYTES`] of it, or all there is. So many bytes were read.
fn pieces(content: &mut Content, mut look: impl FnMut(&[u8])) -> Result<usize, SourceError> {
    let (mut piece, mut bytes) = (vec![0; PIECE_BYTES], 0);
    while bytes < LARGE_BYTES {
        match content.read(&mut piece)? {
            0 => break,
            count => {
                bytes += count;
                look(&piece[..count]);
            }
        }
    }
    Ok(bytes)
}

/// Reads on to the end and decides on a thread of its own, while this one unpacks and hashes.
fn detect_beside(content: &mut Content, mut detector: Detector) -> Result<Encoding, SourceError> {
    std::thread::scope(|scope| {
        let (sender, receiver) = sync_channel::<(Vec<u8>, usize)>(BEHIND);
        let (used_sender, used) = channel();
        let detecting = scope.spawn(move || {
            for (piece, count) in receiver {
                detector.push(&piece[..count]);
                // The reader may have ended.
                let _ = used_sender.send(piece);
            }
            detector.decide()
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
