//! A TOML document against the JSON Schema of its Rust type: every fault at once, each with its place.
//!
//! The schema comes from the same type that serde reads, so there is one truth. This understands the schemas that
//! schemars makes of serde types: `$ref`, `allOf`, flattened parts, optional values, maps, and enums tagged from inside
//! (`kind = "csv"`) and from outside (`one-of = [...]`).

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use regex::Regex;
use serde_json::{Map, Value};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::Resource;
use super::schema::json_schema;
use super::suggest::nearest;

type Schema = Map<String, Value>;

/// One fault of one document.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) span: Option<Range<usize>>,
    pub(super) message: String,
    pub(super) hint: Option<String>,
}

/// A schema, and the regular expressions met in it so far.
pub(super) struct Validator {
    schema: Value,
    patterns: RefCell<HashMap<String, Option<Regex>>>,
}

/// A value, how a message calls it, and where it stands.
struct Node<'a> {
    label: String,
    span: Option<Range<usize>>,
    value: &'a DeValue<'a>,
}

/// What the parts of a schema together say about a table's keys.
#[derive(Default)]
struct Shape<'s> {
    properties: Vec<(&'s str, &'s Value)>,
    required: Vec<&'s str>,
    others: Option<&'s Value>,
    closed: bool,
}

impl Validator {
    pub(super) fn of<T: Resource>() -> Self {
        Self::new(json_schema::<T>())
    }

    pub(super) fn new(schema: Value) -> Self {
        Self { schema, patterns: RefCell::default() }
    }

    /// Every fault of a document, in the order of the schema's and the document's keys.
    pub(super) fn validate(&self, root: &DeTable<'_>) -> Vec<Fault> {
        let mut faults = Vec::new();
        let value = DeValue::Table(root.clone());
        self.check(&self.schema, &Node { label: "the file".into(), span: None, value: &value }, &mut faults);
        faults.sort_by_key(|fault| fault.span.as_ref().map_or(0, |span| span.start));
        faults
    }

    fn check(&self, schema: &Value, node: &Node<'_>, faults: &mut Vec<Fault>) {
        let mut parts = Vec::new();
        self.collect_parts(schema, &mut parts);
        let mut undecided = false;
        let mut next = 0;
        while let Some(part) = parts.get(next).copied() {
            if let Some(options) = part.get("oneOf").or_else(|| part.get("anyOf")).and_then(Value::as_array) {
                match self.choose(options, node) {
                    Ok(mut chosen) => parts.append(&mut chosen),
                    Err(fault) => {
                        undecided = true;
                        faults.push(fault);
                    }
                }
            }
            next += 1;
        }
        if let Some(fault) = wrong_type(&parts, node) {
            faults.push(fault);
            return;
        }
        match node.value {
            DeValue::Table(table) => self.check_table(&parts, undecided, table, node, faults),
            DeValue::Array(items) => self.check_items(&parts, items, node, faults),
            _ => faults.extend(parts.iter().find_map(|part| self.scalar_fault(part, &parts, node))),
        }
    }

    /// The schema itself and everything that it refers to and that holds as well.
    fn collect_parts<'s>(&'s self, schema: &'s Value, parts: &mut Vec<&'s Schema>) {
        let Some(schema) = schema.as_object() else { return };
        if parts.iter().any(|part| std::ptr::eq(*part, schema)) {
            return;
        }
        parts.push(schema);
        if let Some(target) = schema.get("$ref").and_then(Value::as_str) {
            let pointer = target.strip_prefix('#').unwrap_or(target);
            if let Some(target) = self.schema.pointer(pointer) {
                self.collect_parts(target, parts);
            }
        }
        for part in schema.get("allOf").and_then(Value::as_array).into_iter().flatten() {
            self.collect_parts(part, parts);
        }
    }

    /// The parts of the alternative that the value means to be.
    fn choose<'s>(&'s self, options: &'s [Value], node: &Node<'_>) -> Result<Vec<&'s Schema>, Fault> {
        let mut candidates = Vec::new();
        for option in options {
            let mut parts = Vec::new();
            self.collect_parts(option, &mut parts);
            // TOML has no null: an optional value is simply the other alternative.
            if types(&parts) != ["null"] {
                candidates.push(parts);
            }
        }
        if candidates.len() == 1 {
            return Ok(candidates.remove(0));
        }
        match node.value {
            DeValue::String(text) => choose_by_text(candidates, text, node),
            DeValue::Table(table) => choose_by_key(candidates, table, node),
            _ => match candidates.iter().position(|parts| wrong_type(parts, node).is_none()) {
                Some(index) => Ok(candidates.swap_remove(index)),
                None => Err(type_fault(&candidates.iter().flat_map(|parts| types(parts)).collect::<Vec<_>>(), node)),
            },
        }
    }

    fn check_table(
        &self,
        parts: &[&Schema],
        undecided: bool,
        table: &DeTable<'_>,
        node: &Node<'_>,
        faults: &mut Vec<Fault>,
    ) {
        let shape = Shape::of(parts);
        for name in &shape.required {
            if !table.contains_key(*name) {
                faults.push(Fault {
                    span: node.span.clone(),
                    message: format!("missing key `{name}`"),
                    hint: shape.property(name).and_then(|schema| {
                        let mut parts = Vec::new();
                        self.collect_parts(schema, &mut parts);
                        description(&parts)
                    }),
                });
            }
        }
        for (key, value) in table {
            let name = key.get_ref().as_ref();
            let span = if value.get_ref().is_table() { key.span() } else { value.span() };
            let child = Node { label: format!("`{name}`"), span: Some(span), value: value.get_ref() };
            match shape.property(name).or(shape.others) {
                Some(schema) => self.check(schema, &child, faults),
                None if shape.closed && !undecided => faults.push(unknown_key(key, &shape)),
                None => {}
            }
        }
    }

    fn check_items(&self, parts: &[&Schema], items: &[Spanned<DeValue<'_>>], node: &Node<'_>, faults: &mut Vec<Fault>) {
        let bound = |key| parts.iter().find_map(|part| part.get(key).and_then(Value::as_u64));
        let (least, most) = (bound("minItems"), bound("maxItems"));
        let count = items.len() as u64;
        if least.is_some_and(|least| count < least) || most.is_some_and(|most| count > most) {
            let range = match (least, most) {
                (Some(least), Some(most)) if least == most => format!("{least}"),
                (Some(least), None) => format!("at least {least}"),
                (least, most) => format!("{} to {}", least.unwrap_or(0), most.unwrap_or(u64::MAX)),
            };
            faults.push(Fault {
                span: node.span.clone(),
                message: format!("{} must have {range} items, not {count}", node.label),
                hint: None,
            });
        }
        for (index, item) in items.iter().enumerate() {
            let positional =
                parts.iter().find_map(|part| part.get("prefixItems").and_then(Value::as_array)?.get(index));
            let Some(schema) = positional.or_else(|| parts.iter().find_map(|part| part.get("items"))) else { continue };
            let label = format!("an item of {}", node.label);
            self.check(schema, &Node { label, span: Some(item.span()), value: item.get_ref() }, faults);
        }
    }

    fn scalar_fault(&self, part: &Schema, parts: &[&Schema], node: &Node<'_>) -> Option<Fault> {
        let fault = |message: String, hint| Some(Fault { span: node.span.clone(), message, hint });
        if let Some(text) = node.value.as_str() {
            let allowed = constants(&[part]);
            if !allowed.is_empty() && !allowed.contains(&text) {
                return Some(unknown_value(text, &allowed, node));
            }
            let length = text.chars().count() as u64;
            let bound = |key| part.get(key).and_then(Value::as_u64);
            if bound("minLength").is_some_and(|least| length < least)
                || bound("maxLength").is_some_and(|most| length > most)
            {
                let range = match (bound("minLength"), bound("maxLength")) {
                    (Some(least), Some(most)) if least == most => format!("{least} characters"),
                    (least, most) => format!("{} to {} characters", least.unwrap_or(0), most.unwrap_or(u64::MAX)),
                };
                return fault(format!("{} must have {range}, not {length}", node.label), None);
            }
            let pattern = part.get("pattern").and_then(Value::as_str)?;
            if !self.matches(pattern, text) {
                let hint = description(parts);
                return fault(format!("`{text}` is no valid value of {}", node.label), hint);
            }
            return None;
        }
        let number: f64 = match node.value {
            DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix()).ok()? as f64,
            DeValue::Float(number) => number.as_str().parse().ok()?,
            _ => return None,
        };
        let bound = |key| part.get(key).and_then(Value::as_f64);
        match (bound("minimum"), bound("maximum")) {
            (Some(least), _) if number < least => fault(format!("{} must be at least {least}", node.label), None),
            (_, Some(most)) if number > most => fault(format!("{} must be at most {most}", node.label), None),
            _ => None,
        }
    }

    fn matches(&self, pattern: &str, text: &str) -> bool {
        let mut patterns = self.patterns.borrow_mut();
        let regex = patterns.entry(pattern.to_owned()).or_insert_with(|| Regex::new(pattern).ok());
        regex.as_ref().is_none_or(|regex| regex.is_match(text))
    }
}

impl<'s> Shape<'s> {
    fn of(parts: &[&'s Schema]) -> Self {
        let mut shape = Self::default();
        for part in parts {
            for (name, schema) in part.get("properties").and_then(Value::as_object).into_iter().flatten() {
                shape.properties.push((name, schema));
            }
            for name in part.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str) {
                if !shape.required.contains(&name) {
                    shape.required.push(name);
                }
            }
            for key in ["additionalProperties", "unevaluatedProperties"] {
                match part.get(key) {
                    Some(Value::Bool(false)) => shape.closed = true,
                    Some(schema @ Value::Object(_)) => shape.others = Some(schema),
                    _ => {}
                }
            }
        }
        shape
    }

    fn property(&self, name: &str) -> Option<&'s Value> {
        self.properties.iter().find(|(known, _)| *known == name).map(|(_, schema)| *schema)
    }
}

fn choose_by_text<'s>(
    mut candidates: Vec<Vec<&'s Schema>>,
    text: &str,
    node: &Node<'_>,
) -> Result<Vec<&'s Schema>, Fault> {
    let takes = |parts: &Vec<&Schema>| {
        let allowed = constants(parts);
        types(parts).contains(&"string") && (allowed.is_empty() || allowed.contains(&text))
    };
    if let Some(index) = candidates.iter().position(takes) {
        return Ok(candidates.swap_remove(index));
    }
    let allowed: Vec<&str> = candidates.iter().flat_map(|parts| constants(parts)).collect();
    let keyed = outer_tags(&candidates);
    if keyed.contains(&text) {
        return Err(Fault {
            span: node.span.clone(),
            message: format!("`{text}` of {} needs a value", node.label),
            hint: Some(format!("write `{{ {text} = ... }}`")),
        });
    }
    if allowed.is_empty() {
        return Err(type_fault(&candidates.iter().flat_map(|parts| types(parts)).collect::<Vec<_>>(), node));
    }
    Err(unknown_value(text, &[allowed, keyed].concat(), node))
}

fn choose_by_key<'s>(
    mut candidates: Vec<Vec<&'s Schema>>,
    table: &DeTable<'_>,
    node: &Node<'_>,
) -> Result<Vec<&'s Schema>, Fault> {
    let texts: Vec<&str> = candidates.iter().flat_map(|parts| constants(parts)).collect();
    candidates.retain(|parts| types(parts).contains(&"object"));
    if candidates.is_empty() {
        return Err(type_fault(&["string"], node));
    }
    if let Some(tag) = inner_tag(&candidates) {
        let value_of = |parts: &[&'s Schema]| Shape::of(parts).property(tag).and_then(constant);
        let known: Vec<&str> = candidates.iter().filter_map(|parts| value_of(parts)).collect();
        let Some(value) = table.get(tag) else {
            return Err(Fault {
                span: node.span.clone(),
                message: format!("missing key `{tag}`"),
                hint: Some(format!("one of {}", known.join(", "))),
            });
        };
        let tag_node = Node { label: format!("`{tag}`"), span: Some(value.span()), value: value.get_ref() };
        let Some(text) = value.get_ref().as_str() else { return Err(type_fault(&["string"], &tag_node)) };
        return match candidates.iter().position(|parts| value_of(parts) == Some(text)) {
            Some(index) => Ok(candidates.swap_remove(index)),
            None => Err(unknown_value(text, &known, &tag_node)),
        };
    }
    let tags = outer_tags(&candidates);
    let chosen =
        candidates.iter().position(|parts| Shape::of(parts).required.iter().any(|key| table.contains_key(*key)));
    match chosen {
        Some(index) => Ok(candidates.swap_remove(index)),
        None => {
            let key = table.keys().next();
            let span = key.map(Spanned::span).or_else(|| node.span.clone());
            let mut message = format!("{} needs one of the keys {}", node.label, tags.join(", "));
            if let Some(key) = key {
                message = format!("unknown key `{}`", key.get_ref());
                push_suggestion(&mut message, key.get_ref(), &tags);
            }
            let hint = match texts.is_empty() {
                true => format!("one of the keys {}", tags.join(", ")),
                false => format!(
                    "one of the texts {}, or a table with one of the keys {}",
                    texts.join(", "),
                    tags.join(", ")
                ),
            };
            Err(Fault { span, message, hint: Some(hint) })
        }
    }
}

/// The key that every alternative fixes to a text of its own.
fn inner_tag<'s>(candidates: &[Vec<&'s Schema>]) -> Option<&'s str> {
    let first = Shape::of(candidates.first()?);
    let fixed = |parts: &[&'s Schema], name: &str| Shape::of(parts).property(name).and_then(constant).is_some();
    first.properties.iter().map(|(name, _)| *name).find(|name| candidates.iter().all(|parts| fixed(parts, name)))
}

/// The keys of alternatives that are told apart by their only key.
fn outer_tags<'s>(candidates: &[Vec<&'s Schema>]) -> Vec<&'s str> {
    candidates.iter().filter_map(|parts| Shape::of(parts).required.first().copied()).collect()
}

fn constant(schema: &Value) -> Option<&str> {
    schema.get("const").and_then(Value::as_str)
}

/// The texts that the parts allow, where they name them one by one.
fn constants<'s>(parts: &[&'s Schema]) -> Vec<&'s str> {
    let listed = parts.iter().filter_map(|part| part.get("enum").and_then(Value::as_array)).flatten();
    listed.chain(parts.iter().filter_map(|part| part.get("const"))).filter_map(Value::as_str).collect()
}

/// The JSON types that the parts name.
fn types<'s>(parts: &[&'s Schema]) -> Vec<&'s str> {
    let mut found = Vec::new();
    for part in parts {
        match part.get("type") {
            Some(Value::String(name)) => found.push(name.as_str()),
            Some(Value::Array(names)) => found.extend(names.iter().filter_map(Value::as_str)),
            _ => {}
        }
    }
    found
}

fn wrong_type(parts: &[&Schema], node: &Node<'_>) -> Option<Fault> {
    let expected = types(parts);
    let fits = |name: &&str| match node.value {
        DeValue::String(_) => *name == "string",
        DeValue::Integer(_) => matches!(*name, "integer" | "number"),
        DeValue::Float(_) => *name == "number",
        DeValue::Boolean(_) => *name == "boolean",
        DeValue::Datetime(_) => false,
        DeValue::Array(_) => *name == "array",
        DeValue::Table(_) => *name == "object",
    };
    (!expected.is_empty() && !expected.iter().any(fits)).then(|| type_fault(&expected, node))
}

fn type_fault(expected: &[&str], node: &Node<'_>) -> Fault {
    let mut words: Vec<&str> = expected.iter().filter_map(|name| type_words(name)).collect();
    words.sort_unstable();
    words.dedup();
    let hint = match node.value {
        DeValue::Table(_) | DeValue::Array(_) => None,
        _ if words.contains(&"a text") => Some("put it in quotes".into()),
        DeValue::String(text) if text.parse::<f64>().is_ok() => Some("write it without quotes".into()),
        _ => None,
    };
    let message = format!("{} must be {}, not {}", node.label, words.join(" or "), kind(node.value));
    Fault { span: node.span.clone(), message, hint }
}

fn type_words(name: &str) -> Option<&'static str> {
    Some(match name {
        "string" => "a text",
        "integer" => "a whole number",
        "number" => "a number",
        "boolean" => "true or false",
        "array" => "a list",
        "object" => "a table",
        _ => return None,
    })
}

/// What a value is, in words.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn unknown_key(key: &Spanned<std::borrow::Cow<'_, str>>, shape: &Shape<'_>) -> Fault {
    let known: Vec<&str> = shape.properties.iter().map(|(name, _)| *name).collect();
    let mut message = format!("unknown key `{}`", key.get_ref());
    push_suggestion(&mut message, key.get_ref(), &known);
    Fault { span: Some(key.span()), message, hint: Some(format!("known keys here: {}", known.join(", "))) }
}

fn unknown_value(text: &str, allowed: &[&str], node: &Node<'_>) -> Fault {
    let mut message = format!("`{text}` is no value of {}", node.label);
    push_suggestion(&mut message, text, allowed);
    Fault { span: node.span.clone(), message, hint: Some(format!("one of {}", allowed.join(", "))) }
}

fn push_suggestion(message: &mut String, text: &str, known: &[&str]) {
    if let Some(name) = nearest(text, known.iter().copied()) {
        message.push_str(&format!(", did you mean `{name}`?"));
    }
}

/// What the schema says about a value: the property's own words before those of its type.
fn description(parts: &[&Schema]) -> Option<String> {
    parts.iter().find_map(|part| part.get("description").and_then(Value::as_str)).map(one_line)
}

/// A description's first paragraph on one line, without its full stop.
fn one_line(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    paragraph.split_whitespace().collect::<Vec<_>>().join(" ").trim_end_matches('.').to_owned()
}
