use arrow::array::RecordBatch;
use futures::executor::block_on;

use crate::args::{ConfigArgs, ConfigCommand};
use crate::output::{Output, text};
use crate::session::Session;
use crate::settings::Flags;

/// Prints every setting that is in force.
pub(super) fn run(session: &Session, args: &ConfigArgs) -> anyhow::Result<()> {
    let ConfigCommand::Show { origin } = args.command;
    let settings = session.settings(Flags::new())?;
    let entries = settings.entries();
    let mut columns = vec![
        ("setting", text(entries.iter().map(|entry| Some(entry.key.path())))),
        ("value", text(entries.iter().map(|entry| entry.shown()))),
    ];
    if origin {
        columns.push(("origin", text(entries.iter().map(|entry| Some(entry.origin.to_string())))));
    }
    let mut output = Output::open(&session.global)?;
    let columns = columns.into_iter().map(|(name, column)| (name, column, true));
    block_on(output.rows(RecordBatch::try_from_iter_with_nullable(columns)?))?; // the rows are there: nothing waits
    output.finish()
}
