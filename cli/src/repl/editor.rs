//! The line editor: history, colours, completion, several lines until `;`.

use std::borrow::Cow;
use std::fs;
use std::path::PathBuf;

use reedline::{
    ColumnarMenu, Emacs, FileBackedHistory, KeyCode, KeyModifiers, MenuBuilder, PromptEditMode, PromptHistorySearch,
    PromptHistorySearchStatus, Reedline, ReedlineEvent, ReedlineMenu, ValidationResult, Validator,
    default_emacs_keybindings,
};

use super::completer::{WordCompleter, Words};
use super::highlighter::SqlHighlighter;
use super::meta::Meta;
use crate::output::note;
use crate::settings::Environment;
use crate::sql_text::is_complete;

/// Lines that the history keeps.
const HISTORY_LINES: usize = 5000;
const MENU: &str = "names";

/// An editor for SQL.
pub(super) fn open(words: Words, environment: &Environment, color: bool) -> Reedline {
    let mut keys = default_emacs_keybindings();
    let complete = vec![ReedlineEvent::Menu(MENU.into()), ReedlineEvent::MenuNext];
    keys.add_binding(KeyModifiers::NONE, KeyCode::Tab, ReedlineEvent::UntilFound(complete));
    keys.add_binding(KeyModifiers::SHIFT, KeyCode::BackTab, ReedlineEvent::MenuPrevious);
    let menu = ColumnarMenu::default().with_name(MENU).with_columns(3);
    let mut editor = Reedline::create()
        .with_ansi_colors(color)
        .with_completer(Box::new(WordCompleter(words)))
        .with_menu(ReedlineMenu::EngineCompleter(Box::new(menu)))
        .with_edit_mode(Box::new(Emacs::new(keys)))
        .with_validator(Box::new(UntilSemicolon))
        .use_bracketed_paste(true);
    if color {
        editor = editor.with_highlighter(Box::new(SqlHighlighter));
    }
    match history(environment) {
        Some(Ok(history)) => editor = editor.with_history(Box::new(history)),
        Some(Err(message)) => note(&format!("warning: no history: {message}")),
        None => {}
    }
    editor
}

/// `$XDG_STATE_HOME/xiangyun/history`, else below `~/.local/state`; none where there is no home.
fn history(environment: &Environment) -> Option<Result<FileBackedHistory, String>> {
    let state = environment.get("XDG_STATE_HOME").map(PathBuf::from);
    let folder = state.or_else(|| Some(PathBuf::from(environment.get("HOME")?).join(".local/state")))?.join("xiangyun");
    let open = || {
        fs::create_dir_all(&folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
        let file = folder.join("history");
        FileBackedHistory::with_file(HISTORY_LINES, file).map_err(|error| error.to_string())
    };
    Some(open())
}

struct UntilSemicolon;

impl Validator for UntilSemicolon {
    fn validate(&self, line: &str) -> ValidationResult {
        match Meta::is_meta(line) || is_complete(line) {
            true => ValidationResult::Complete,
            false => ValidationResult::Incomplete,
        }
    }
}

/// What stands before the line.
pub(super) struct Prompt;

impl reedline::Prompt for Prompt {
    fn render_prompt_left(&self) -> Cow<'_, str> {
        "xiangyun".into()
    }

    fn render_prompt_right(&self) -> Cow<'_, str> {
        "".into()
    }

    fn render_prompt_indicator(&self, _mode: PromptEditMode) -> Cow<'_, str> {
        "> ".into()
    }

    fn render_prompt_multiline_indicator(&self) -> Cow<'_, str> {
        "      -> ".into()
    }

    fn render_prompt_history_search_indicator(&self, search: PromptHistorySearch) -> Cow<'_, str> {
        let failing = match search.status {
            PromptHistorySearchStatus::Passing => "",
            PromptHistorySearchStatus::Failing => "failing ",
        };
        format!("({failing}search: {}) ", search.term).into()
    }
}
