//! What is made of the list of settings: the template of a new project, the document and the JSON Schema.

use std::fmt::Write;

use super::file::VERSION;
#[cfg(test)]
use super::keys::Key;
use super::keys::{KEYS, SECTIONS};

/// `xiangyun.toml` of a new project: every setting, commented out, with its default.
pub(crate) fn template() -> String {
    let mut text = format!(
        "# Settings of this project. A flag beats an environment variable, which beats this file.\n\
         # `xiangyun config show --origin` prints what is in force and where it came from.\n\
         version = {VERSION}\n"
    );
    for (section, doc) in SECTIONS {
        let _ = write!(text, "\n# {doc}\n[{section}]\n");
        for key in KEYS.iter().filter(|key| key.section == section) {
            let _ = writeln!(text, "# {}", key.doc.replace('`', ""));
            let default = key.default.map(|default| format!("; default: {}", default.replace('`', "")));
            let shared = key.shared_variable.map(|variable| format!(", else {variable}")).unwrap_or_default();
            let _ = writeln!(text, "# Environment: {}{shared}{}", key.variable(), default.unwrap_or_default());
            let _ = writeln!(text, "# {} = {}", key.name, key.example);
        }
    }
    text
}

#[cfg(test)]
pub(super) fn markdown() -> String {
    let mut text = String::from(
        "# Settings\n\n<!-- Written by `UPDATE_DOCS=1 cargo test --workspace --bin xiangyun documents`; a test compares. -->\n\n\
         Settings live in `xiangyun.toml` at the project's root, which begins with `version = 1`. An editor can check\n\
         the file against [schema/settings.json](schema/settings.json). Each setting has one environment variable.\n\n\
         A flag beats the environment, the environment beats the file, the file beats the default. A variable of\n\
         OpenTelemetry's beats the default only. An empty variable counts as unset.\n\
         `--set KEY=VALUE` sets any setting that is no secret for one command.\n\
         `xiangyun config show --origin` prints every value with its origin; secrets are masked.\n\
         A key that is not in this list is refused with its line and the nearest name.\n",
    );
    for (section, doc) in SECTIONS {
        let _ = write!(
            text,
            "\n## `[{section}]`\n\n{doc}\n\n| Key | Environment variable | Value | Default | Meaning |\n|---|---|---|---|---|\n"
        );
        for key in KEYS.iter().filter(|key| key.section == section) {
            let default = key.default.map_or("unset".into(), |default| match default.contains(' ') {
                true => default.to_owned(),
                false => format!("`{default}`"),
            });
            let shared = key.shared_variable.map(|variable| format!(", else `{variable}`")).unwrap_or_default();
            let _ = writeln!(
                text,
                "| `{}` | `{}`{shared} | {} | {default} | {} |",
                key.name,
                key.variable(),
                value_words(key),
                key.doc
            );
        }
    }
    text.push_str("\n## Other environment variables\n\n| Variable | Meaning |\n|---|---|\n");
    for (name, doc) in super::keys::OTHER_VARIABLES {
        let _ = writeln!(text, "| `{name}` | {doc} |");
    }
    text
}

#[cfg(test)]
fn value_words(key: &Key) -> String {
    use super::keys::Kind;
    match key.kind {
        Kind::Count { least } if least > 0 => format!("whole number, at least {least}"),
        Kind::Count { .. } => "whole number".into(),
        Kind::Text if key.secret => "text, secret".into(),
        Kind::Text => "text".into(),
        Kind::Flag => "`true` or `false`".into(),
        Kind::Address => "`address:port`".into(),
        Kind::Path => "path; relative to the project in the file, to the working folder elsewhere".into(),
        Kind::Ratio => "number from 0 to 1".into(),
    }
}

/// The JSON Schema of `xiangyun.toml`.
#[cfg(test)]
pub(super) fn json_schema() -> serde_json::Value {
    use serde_json::{Map, Value, json};

    use super::keys::Kind;

    let property = |key: &Key| {
        let mut schema = match key.kind {
            Kind::Text | Kind::Path => json!({"type": "string"}),
            Kind::Address => json!({"type": "string", "pattern": ":[0-9]+$"}),
            Kind::Flag => json!({"type": "boolean"}),
            Kind::Ratio => json!({"type": "number", "minimum": 0, "maximum": 1}),
            Kind::Count { least } => json!({"type": "integer", "minimum": least}),
        };
        schema["description"] = json!(key.doc);
        schema
    };
    let mut properties = Map::from_iter([(
        "version".into(),
        json!({"const": VERSION, "description": "Version of this file's format."}),
    )]);
    for (section, doc) in SECTIONS {
        let keys = KEYS.iter().filter(|key| key.section == section);
        let keys: Map<String, Value> = keys.map(|key| (key.name.into(), property(key))).collect();
        properties.insert(
            section.into(),
            json!({"type": "object", "description": doc, "additionalProperties": false, "properties": keys}),
        );
    }
    json!({
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of a Xiangyun project (xiangyun.toml)",
        "type": "object",
        "additionalProperties": false,
        "required": ["version"],
        "properties": properties,
    })
}
