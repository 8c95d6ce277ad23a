//! `xiangyun table freshness`.

use arrow::array::RecordBatch;
use xiangyun_ingest::freshness::{TableFreshness, freshness};

use super::yes;
use crate::output::{Output, text};
use crate::report::{AlreadyTold, Exit};
use crate::session::Session;

/// Shows how every table stands to its promise; fails where somebody should do something about it.
pub(super) async fn run(session: &Session) -> anyhow::Result<()> {
    let found = freshness(&session.engine().await?).await?;
    let mut output = Output::open(&session.global)?;
    output.rows(listed(&found)?).await?;
    output.finish()?;
    match found.iter().any(TableFreshness::is_broken) {
        true => Err(AlreadyTold(Exit::DataQuality).into()),
        false => Ok(()),
    }
}

fn listed(found: &[TableFreshness]) -> anyhow::Result<RecordBatch> {
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("table", text(found.iter().map(|table| Some(table.table.to_string()))), false),
        ("state", text(found.iter().map(|table| Some(table.state.code()))), false),
        ("data_date", text(found.iter().map(|table| table.data_date.map(|date| date.to_string()))), true),
        ("due_on", text(found.iter().map(|table| table.due_on.map(|date| date.to_string()))), true),
        ("synthetic", text(found.iter().map(|table| Some(yes(table.synthetic)))), false),
        ("message", text(found.iter().map(|table| table.message.as_ref())), true),
    ])?)
}
