use std::fs;
use std::io::{self, IsTerminal, Read};
use std::time::Instant;

use anyhow::Context;
use indexmap::IndexMap;
use xiangyun_engine::query::{ParamValue, SqlRequest};
use xiangyun_engine::{Error, ErrorKind};

use crate::args::SqlArgs;
use crate::output::Output;
use crate::repl::{self, Console, Meta};
use crate::report::SqlFailure;
use crate::session::Session;
use crate::sql_text::{Part, parts};

/// Whether nobody gave a statement and somebody can type one.
pub(super) fn is_interactive(args: &SqlArgs) -> bool {
    args.command.is_none() && args.file.is_none() && io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// The interactive shell.
pub(super) async fn shell(session: &Session) -> anyhow::Result<()> {
    let queries = session.queries().await?;
    let output = Output::open(&session.global)?;
    Box::pin(repl::run(queries, output, &session.environment)).await
}

/// Runs the statements and commands of `-c`, `-f` or standard input, one after the other, up to the first that fails.
pub(super) async fn run(session: &Session, args: SqlArgs) -> anyhow::Result<()> {
    let (name, text) = read(&args)?;
    let found = parts(&text);
    if found.is_empty() {
        let hint = "write a SELECT behind `-c`, into the file of `-f`, or into standard input";
        return Err(Error::new(ErrorKind::InvalidInput, format!("{name} holds no statement")).with_hint(hint).into());
    }
    let output = Output::open(&session.global)?;
    if found.len() > 1 && !output.takes_many() {
        let message = format!("{} statements do not fit into one {} output", found.len(), output.format());
        return Err(Error::new(ErrorKind::InvalidInput, message).with_hint("run them one by one").into());
    }
    let mut console = Console::new(session.queries().await?, output);
    let params: IndexMap<_, _> = args.params.into_iter().map(|(name, value)| (name, ParamValue::Text(value))).collect();
    for part in found {
        let (start, done) = match part {
            Part::Statement(range) => (range.start, statement(&mut console, &text[range], &params).await),
            Part::Command(range) => match Meta::parse(&text[range.clone()]) {
                Some(Ok(Meta::Quit)) => break,
                Some(Ok(command)) => (range.start, console.command(command).await),
                Some(Err(error)) => (range.start, Err(error.into())),
                None => continue,
            },
        };
        done.map_err(|error| locate(error, &name, &text, start))?;
    }
    console.output.finish()
}

async fn statement(console: &mut Console, sql: &str, params: &IndexMap<String, ParamValue>) -> anyhow::Result<()> {
    let begun = Instant::now();
    console.query(SqlRequest { params: params.clone(), ..SqlRequest::new(sql) }).await?;
    console.tell_time(begun);
    Ok(())
}

/// An engine's error with the text that it speaks about.
fn locate(error: anyhow::Error, name: &str, text: &str, start: usize) -> anyhow::Error {
    match error.downcast::<Error>() {
        Ok(error) => SqlFailure::new(error, name, text, start).into(),
        Err(error) => error,
    }
}

fn read(args: &SqlArgs) -> anyhow::Result<(String, String)> {
    if let Some(sql) = &args.command {
        return Ok(("-c".into(), sql.clone()));
    }
    if let Some(path) = &args.file {
        let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        return Ok((path.display().to_string(), text));
    }
    let mut text = String::new();
    io::stdin().read_to_string(&mut text).context("cannot read standard input")?;
    Ok(("standard input".into(), text))
}
