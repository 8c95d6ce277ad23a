use arrow::array::RecordBatch;
use xiangyun_engine::Engine;
use xiangyun_engine::project::{Diagnostics, Project, Severity};
use xiangyun_ingest::Declarations;

use crate::output::{Output, OutputFormat, count, note, text};
use crate::report::{AlreadyTold, Exit, Faults, color};
use crate::session::Session;
use crate::settings::{Settings, find_project};

/// Checks every file of the project offline: findings to standard output, the summary beside it.
pub(super) async fn run(session: &Session) -> anyhow::Result<()> {
    let root = find_project(session.global.project.as_deref(), &session.environment)?;
    let mut diagnostics = Diagnostics::default();
    Settings::check_file(&root, &mut diagnostics);
    let project = Project::load(&root, &mut diagnostics);
    Declarations::load(&project, &mut diagnostics);
    Engine::check(&project, &mut diagnostics).await;

    let failed = diagnostics.has_errors();
    let chosen = session.global.json || session.global.format.is_some() || session.global.output.is_some();
    let mut output = Output::open(&session.global)?;
    if chosen && output.format() != OutputFormat::Table {
        output.rows(findings(&diagnostics)?).await?;
    }
    let faults = Faults::new(diagnostics);
    if !chosen || output.format() == OutputFormat::Table {
        output.plain(&faults.render(color(&session.environment)))?;
    }
    output.finish()?;
    if failed {
        note(&faults.summary());
        return Err(AlreadyTold(Exit::Failed).into());
    }
    if !session.global.quiet {
        note(&format!("the project {} is sound: {}", root.display(), faults.summary()));
    }
    Ok(())
}

fn findings(diagnostics: &Diagnostics) -> anyhow::Result<RecordBatch> {
    let severity = |severity| if severity == Severity::Error { "error" } else { "warning" };
    let at = |index: fn((usize, usize)) -> usize| {
        count(diagnostics.iter().map(|found| {
            let position = found.source.position(found.span.as_ref()?.start);
            Some(index((position.line, position.column)) as u64)
        }))
    };
    Ok(RecordBatch::try_from_iter_with_nullable([
        ("severity", text(diagnostics.iter().map(|found| Some(severity(found.severity)))), false),
        ("file", text(diagnostics.iter().map(|found| Some(found.source.path.to_string_lossy()))), false),
        ("line", at(|(line, _)| line), true),
        ("column", at(|(_, column)| column), true),
        ("message", text(diagnostics.iter().map(|found| Some(&found.message))), false),
        ("hint", text(diagnostics.iter().map(|found| found.hint.as_ref())), true),
    ])?)
}
