//! What functions make counts as memory for as long as it lives. DataFusion's pool knows what its operators keep and not
//! what an expression has just made: twelve texts of 200 MB in one row would be nobody's.

use std::sync::Arc;

use arrow::array::{Array, ArrayData, ArrayRef, AsArray, make_array};
use arrow::buffer::Buffer;
use bytes::Bytes;
use datafusion::common::{DataFusionError, Result, ScalarValue};
use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};
use datafusion::logical_expr::ColumnarValue;

/// Results that are smaller are not worth the trouble.
const COUNTED_BYTES: usize = 1 << 20;
/// Bytes of a constant text. It is copied for each of a batch's 8,192 rows where it becomes a column, and nothing can be
/// counted with it.
pub(super) const CONSTANT_BYTES: usize = 32 << 10;

/// A buffer, and the memory that is taken for it and all that was made with it.
struct Held {
    buffer: Buffer,
    _memory: MemoryReservation,
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.buffer
    }
}

/// Calls `make`, which makes about `bytes`, and takes them from `pool` until its result is dropped.
///
/// # Errors
/// Where the pool has no room, or a constant is too large.
pub(super) fn held(
    name: &str,
    bytes: u128,
    pool: &Arc<dyn MemoryPool>,
    make: impl FnOnce() -> Result<ColumnarValue>,
) -> Result<ColumnarValue> {
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    if bytes <= CONSTANT_BYTES {
        return make();
    }
    let memory = MemoryConsumer::new(name).register(pool);
    memory.try_grow(bytes)?;
    match make()? {
        ColumnarValue::Array(array) => Ok(ColumnarValue::Array(counted(&array, memory)?)),
        ColumnarValue::Scalar(ScalarValue::List(list)) => {
            let list = counted(&(list as ArrayRef), memory)?;
            Ok(ColumnarValue::Scalar(ScalarValue::List(Arc::new(list.as_list::<i32>().clone()))))
        }
        ColumnarValue::Scalar(scalar) if scalar.size() > CONSTANT_BYTES => Err(DataFusionError::ResourcesExhausted(
            format!("`{name}` would make a constant of {} bytes, and {CONSTANT_BYTES} are allowed", scalar.size()),
        )),
        scalar => Ok(scalar),
    }
}

/// `array` with `memory` tied to its largest buffer.
fn counted(array: &ArrayRef, memory: MemoryReservation) -> Result<ArrayRef> {
    let size = array.get_array_memory_size();
    if size < COUNTED_BYTES {
        return Ok(Arc::clone(array));
    }
    memory.try_resize(size)?;
    let data = array.to_data();
    let largest = largest(&data);
    let mut memory = Some(memory);
    Ok(make_array(tied(data, largest, &mut memory)?))
}

fn largest(data: &ArrayData) -> usize {
    let own = data.buffers().iter().map(Buffer::len);
    own.chain(data.child_data().iter().map(largest)).max().unwrap_or(0)
}

/// `data` whose first buffer of `size` bytes holds the memory.
fn tied(data: ArrayData, size: usize, memory: &mut Option<MemoryReservation>) -> Result<ArrayData> {
    let mut buffers = data.buffers().to_vec();
    if let Some(buffer) = buffers.iter_mut().find(|buffer| buffer.len() == size)
        && let Some(taken) = memory.take()
    {
        *buffer = Buffer::from(Bytes::from_owner(Held { buffer: buffer.clone(), _memory: taken }));
    }
    let mut children = Vec::with_capacity(data.child_data().len());
    for child in data.child_data() {
        children.push(if memory.is_some() { tied(child.clone(), size, memory)? } else { child.clone() });
    }
    Ok(data.into_builder().buffers(buffers).child_data(children).build()?)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a failing test may panic")]
mod tests {
    use arrow::array::StringArray;
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    use super::*;

    fn texts(rows: usize, bytes: usize) -> ColumnarValue {
        ColumnarValue::Array(Arc::new(StringArray::from(vec!["x".repeat(bytes); rows])))
    }

    #[test]
    fn memory_is_taken_until_the_last_part_of_a_result_is_dropped() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(10 << 20));
        let made = held("repeat", 4 << 20, &pool, || Ok(texts(4, 1 << 20))).unwrap().into_array(4).unwrap();
        assert!(pool.reserved() > 4 << 20);
        assert!(held("repeat", 8 << 20, &pool, || panic!("is not made")).is_err());
        let part = made.slice(1, 1);
        assert_eq!(part.as_string::<i32>().value(0).len(), 1 << 20);
        drop(made);
        assert!(pool.reserved() > 4 << 20);
        drop(part);
        assert_eq!(pool.reserved(), 0);
    }

    #[test]
    fn a_constant_text_is_small() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(10 << 20));
        let constant = |bytes: usize| {
            let text = ScalarValue::from("x".repeat(bytes));
            held("repeat", bytes as u128, &pool, || Ok(ColumnarValue::Scalar(text)))
        };
        assert!(constant(1_000).is_ok());
        assert!(constant(1 << 20).unwrap_err().to_string().contains("a constant of"));
        assert_eq!(pool.reserved(), 0);
    }
}
