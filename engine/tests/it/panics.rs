//! A defect inside an operator must not make half an answer look whole.

use std::sync::Arc;

use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use datafusion::catalog::streaming::StreamingTable;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::StreamExt;
use xiangyun_engine::ErrorKind;
use xiangyun_engine::query::SqlRequest;

use crate::support::Lake;

/// Gives one row, and panics instead of a second batch.
#[derive(Debug)]
struct Broken(SchemaRef);

impl PartitionStream for Broken {
    fn schema(&self) -> &SchemaRef {
        &self.0
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let column: ArrayRef = Arc::new(Int64Array::from(vec![1]));
        let batch = RecordBatch::try_new(Arc::clone(&self.0), vec![column]).unwrap();
        let rest = futures::stream::poll_fn(|_| panic!("the index is out of bounds"));
        let batches = futures::stream::iter([Ok(batch)]).chain(rest);
        Box::pin(RecordBatchStreamAdapter::new(Arc::clone(&self.0), batches))
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_ends_the_stream_with_an_error() {
    let lake = Lake::open().await;
    let schema = Arc::new(Schema::new(vec![Field::new("n", DataType::Int64, false)]));
    // One partition runs in the caller's task, several in tasks of their own.
    for partitions in [1, 2] {
        let parts = (0..partitions).map(|_| Arc::new(Broken(Arc::clone(&schema))) as Arc<dyn PartitionStream>);
        let table = Arc::new(StreamingTable::try_new(Arc::clone(&schema), parts.collect()).unwrap());
        let request = SqlRequest::new("SELECT n FROM staged");
        let mut result = lake.analyst().sql_over(request, vec![("staged".into(), table)]).await.unwrap();
        let status = result.status.clone();
        let mut last = None;
        while let Some(batch) = result.next().await {
            last = Some(batch);
        }
        let error = last.unwrap().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Internal, "{}", error.chain());
        assert!(!status.is_complete());
    }
}
