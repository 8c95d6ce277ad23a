//! What is found out about a file before its rows are read: its encoding and its hash, from the whole of it. A large
//! file whose encoding is certain from its start is read once: it is hashed while its rows are read.

use std::sync::mpsc::{channel, sync_channel};
use std::sync::{Arc, OnceLock};

use xiangyun_engine::catalog::RunSource;

use super::{Content, Detector, Encoding, FileState, Fingerprint, SourceFile, StoredBytes};
use crate::source::SourceError;

/// Bytes looked at at a time.
const PIECE_BYTES: usize = 256 << 10;

/// Pieces that the detector may be behind.
const BEHIND: usize = 4;

/// Bytes of content from which on a second thread is worth starting.
const LARGE_BYTES: usize = 4 << 20;

/// What was found out before any row is read.
#[derive(Debug, Clone)]
pub(in crate::source) struct Inspected {
    pub(in crate::source) encoding: Encoding,
    /// Without a hash where the file is hashed while its rows are read.
    pub(in crate::source) record: RunSource,
    /// From the first reading to the end on, whichever that is.
    bytes: Arc<OnceLock<StoredBytes>>,
    /// Where that comes later: what the file was when its start was read.
    started: Option<FileState>,
}

impl Inspected {
    /// Opens the file once more; it is hashed where nobody has read it to its end yet.
    pub(in crate::source) fn open(&self, file: &SourceFile) -> Result<Content, SourceError> {
        if self.bytes.get().is_some() { Content::open_again(file) } else { Content::open(file) }
    }

    /// Ends a reading of what [`Self::open`] gave.
    ///
    /// # Errors
    /// [`SourceError::Changed`] where another reading gave other bytes, or the file is not what it was at its start.
    pub(in crate::source) fn end(&self, content: Content) -> Result<(), SourceError> {
        if self.bytes.get().is_some() {
            return self.compare(content.finish_again()?);
        }
        let (stored, state) = content.finish_watched()?;
        if state != self.started {
            return Err(self.changed());
        }
        let fingerprint = stored.fingerprint;
        // Another reading may have come to the end meanwhile.
        self.bytes.get_or_init(|| stored);
        self.compare(fingerprint)
    }

    /// # Errors
    /// [`SourceError::Changed`] where another reading gave other bytes.
    pub(in crate::source) fn compare(&self, again: Fingerprint) -> Result<(), SourceError> {
        let is_same = self.bytes.get().is_some_and(|first| first.fingerprint == again);
        if is_same { Ok(()) } else { Err(self.changed()) }
    }

    /// The record with the file's hash. The file is read for it where nobody has read it to its end yet.
    pub(in crate::source) fn hashed(&self, file: &SourceFile) -> Result<RunSource, SourceError> {
        if self.bytes.get().is_none() {
            self.end(self.open(file)?)?;
        }
        let sha256 = self.bytes.get().map(|stored| stored.sha256.clone());
        Ok(RunSource { sha256, ..self.record.clone() })
    }

    fn changed(&self) -> SourceError {
        SourceError::Changed { path: self.record.path.clone() }
    }
}

/// What the start of a file tells, where it has at least `from_bytes` and is to be read once; none where more of it has
/// to be seen, because its encoding is not certain or it is compressed.
pub(in crate::source) fn inspect_start(
    file: &SourceFile,
    declared: Option<Encoding>,
    from_bytes: u64,
) -> Result<Option<Inspected>, SourceError> {
    let mut content = Content::open_again(file)?;
    let Some(started) = content.state()?.filter(|state| content.is_plain() && state.size_bytes >= from_bytes.max(1))
    else {
        return Ok(None);
    };
    let certain = match declared {
        None => {
            let mut detector = Detector::default();
            pieces(&mut content, |piece| detector.push(piece))?;
            detector.certain()
        }
        said => said,
    };
    Ok(certain.map(|encoding| Inspected {
        encoding,
        record: record(file, encoding, started.size_bytes, None),
        bytes: Arc::default(),
        started: Some(started),
    }))
}

fn record(file: &SourceFile, encoding: Encoding, size_bytes: u64, sha256: Option<String>) -> RunSource {
    RunSource { path: file.name.clone(), size_bytes, sha256, encoding: Some(encoding.name().into()) }
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
    let record = record(file, encoding, stored.size_bytes, Some(stored.sha256.clone()));
    Ok(Inspected { encoding, record, bytes: Arc::new(OnceLock::from(stored)), started: None })
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
