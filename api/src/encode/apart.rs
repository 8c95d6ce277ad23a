//! The end of a result, away from the threads that serve.

use arrow::record_batch::RecordBatch;
use xiangyun_engine::{Error, ErrorKind};

use super::{EncodeError, Encoder, Ending};

/// Ends a result where work may take its time: a workbook of a million rows is packed only now. Returns the bytes.
///
/// # Errors
/// Those of [`Encoder::end`].
pub async fn end_apart(encoder: &mut Box<dyn Encoder>, ending: Ending) -> Result<Vec<u8>, Error> {
    let mut moved = std::mem::replace(encoder, Box::new(Away));
    let ended = tokio::task::spawn_blocking(move || {
        let mut out = Vec::new();
        let ended = moved.end(ending, &mut out);
        (moved, ended.map(|()| out))
    });
    let (moved, ended) = ended
        .await
        .map_err(|error| Error::new(ErrorKind::Internal, "the end of a result was not written").with_source(error))?;
    *encoder = moved;
    Ok(ended?)
}

/// Stands in for an encoder while another thread has it.
struct Away;

impl Encoder for Away {
    fn begin(&mut self, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Err(EncodeError::Away)
    }

    fn batch(&mut self, _batch: &RecordBatch, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Err(EncodeError::Away)
    }

    fn end(&mut self, _ending: Ending, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Err(EncodeError::Away)
    }

    fn rest(&mut self, _out: &mut Vec<u8>) -> Result<(), EncodeError> {
        Err(EncodeError::Away)
    }
}
