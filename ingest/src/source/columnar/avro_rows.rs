//! The rows of a block, gone along by the file's schema: arrow-avro never ends on a block with bytes behind its last
//! row.

use std::collections::HashMap;

use serde_json::Value;

use super::Fault;
use super::avro_blocks::{damaged, long};

/// Types that may lie in one another.
const DEPTH: usize = 64;

/// Values of one block: some have no bytes, and could be said to be there any number of times.
const BLOCK_VALUES: u64 = 256 << 20;

/// How a value is written.
#[derive(Debug, Clone)]
enum Form {
    Bytes(u64),
    Number,
    /// A length and so many bytes.
    Counted,
    Record(Vec<Form>),
    Array(Box<Form>),
    Map(Box<Form>),
    Union(Vec<Form>),
    Named(String),
}

/// The form of a file's rows.
#[derive(Debug)]
pub(super) struct RowForm {
    row: Form,
    named: HashMap<String, Form>,
}

impl RowForm {
    /// Reads `avro.schema`.
    pub(super) fn parse(schema: &[u8]) -> Result<Self, Fault> {
        let schema: Value = serde_json::from_slice(schema)?;
        let mut named = HashMap::new();
        let row = form(&schema, "", &mut named, 0)?;
        Ok(Self { row, named })
    }

    /// # Errors
    /// Where `block` is not `count` rows and nothing else.
    pub(super) fn check(&self, block: &[u8], count: u64) -> Result<(), Fault> {
        let (mut rest, mut values) = (block, BLOCK_VALUES);
        for _ in 0..count {
            self.skip(&self.row, &mut rest, &mut values, 0)?;
        }
        if rest.is_empty() { Ok(()) } else { Err(damaged("it is damaged: a block has bytes behind its last row")) }
    }

    fn skip(&self, form: &Form, rest: &mut &[u8], values: &mut u64, depth: usize) -> Result<(), Fault> {
        *values = values.checked_sub(1).ok_or_else(|| damaged("a block has too many values"))?;
        if depth > DEPTH {
            return Err(damaged("its values lie too deep in one another"));
        }
        match form {
            Form::Bytes(count) => pass(rest, *count),
            Form::Number => number(rest).map(|_| ()),
            Form::Counted => {
                let length = length(number(rest)?)?;
                pass(rest, length)
            }
            Form::Record(fields) => fields.iter().try_for_each(|field| self.skip(field, rest, values, depth + 1)),
            Form::Array(item) => self.skip_items(rest, |rest| self.skip(item, rest, values, depth + 1)),
            Form::Map(item) => self.skip_items(rest, |rest| {
                self.skip(&Form::Counted, rest, values, depth + 1)?;
                self.skip(item, rest, values, depth + 1)
            }),
            Form::Union(branches) => {
                let branch = usize::try_from(number(rest)?).ok().and_then(|branch| branches.get(branch));
                let branch = branch.ok_or_else(|| damaged("it is damaged: a value is of no type of its union"))?;
                self.skip(branch, rest, values, depth + 1)
            }
            Form::Named(name) => {
                let form = self.named.get(name).ok_or_else(|| unknown(name))?;
                self.skip(form, rest, values, depth + 1)
            }
        }
    }

    /// Blocks of items, the last one empty; a negative count is followed by the block's size.
    fn skip_items(&self, rest: &mut &[u8], mut skip: impl FnMut(&mut &[u8]) -> Result<(), Fault>) -> Result<(), Fault> {
        loop {
            let count = number(rest)?;
            if count == 0 {
                return Ok(());
            }
            if count < 0 {
                number(rest)?;
            }
            for _ in 0..count.unsigned_abs() {
                skip(rest)?;
            }
        }
    }
}

fn pass(rest: &mut &[u8], count: u64) -> Result<(), Fault> {
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    *rest = rest.get(count..).ok_or_else(|| damaged("it is damaged: a row ends behind its block"))?;
    Ok(())
}

fn number(rest: &mut &[u8]) -> Result<i64, Fault> {
    long(rest)?.ok_or_else(|| damaged("it is damaged: a row ends behind its block"))
}

fn length(length: i64) -> Result<u64, Fault> {
    u64::try_from(length).map_err(|_| damaged("it is damaged: a value has less than no bytes"))
}

fn unknown(name: &str) -> Fault {
    Fault::Damaged(format!("its schema has no type `{name}`"))
}

/// The form of a type; types with a name are entered into `named`.
fn form(schema: &Value, space: &str, named: &mut HashMap<String, Form>, depth: usize) -> Result<Form, Fault> {
    if depth > DEPTH {
        return Err(damaged("the types of its schema lie too deep in one another"));
    }
    match schema {
        Value::String(name) => Ok(primitive(name).unwrap_or_else(|| Form::Named(full_name(name, space)))),
        Value::Array(branches) => {
            let branches = branches.iter().map(|branch| form(branch, space, named, depth + 1));
            Ok(Form::Union(branches.collect::<Result<_, _>>()?))
        }
        Value::Object(object) => {
            let text = |key: &str| object.get(key).and_then(Value::as_str);
            let Some(kind) = text("type") else {
                let inner = object.get("type").ok_or_else(|| damaged("a type of its schema has no `type`"))?;
                return form(inner, space, named, depth + 1);
            };
            let name = text("name").map(|name| full_name(name, text("namespace").unwrap_or(space)));
            let own_space = name.as_deref().and_then(|name| name.rsplit_once('.')).map_or("", |(space, _)| space);
            let part = |key: &str| object.get(key).ok_or_else(|| Fault::Damaged(format!("an {kind} has no `{key}`")));
            let found = match kind {
                "record" | "error" => {
                    let fields = part("fields")?.as_array().map(Vec::as_slice).unwrap_or_default();
                    let types = fields.iter().filter_map(|field| field.get("type"));
                    let types = types.map(|field| form(field, own_space, named, depth + 1));
                    Form::Record(types.collect::<Result<_, _>>()?)
                }
                "enum" => Form::Number,
                "fixed" => Form::Bytes(part("size")?.as_u64().unwrap_or_default()),
                "array" => return Ok(Form::Array(Box::new(form(part("items")?, space, named, depth + 1)?))),
                "map" => return Ok(Form::Map(Box::new(form(part("values")?, space, named, depth + 1)?))),
                other => return Ok(primitive(other).unwrap_or_else(|| Form::Named(full_name(other, space)))),
            };
            let Some(name) = name else { return Ok(found) };
            named.insert(name.clone(), found);
            Ok(Form::Named(name))
        }
        _ => Err(damaged("its schema is none of Avro's")),
    }
}

fn primitive(name: &str) -> Option<Form> {
    Some(match name {
        "null" => Form::Bytes(0),
        "boolean" => Form::Bytes(1),
        "int" | "long" => Form::Number,
        "float" => Form::Bytes(4),
        "double" => Form::Bytes(8),
        "bytes" | "string" => Form::Counted,
        _ => return None,
    })
}

fn full_name(name: &str, space: &str) -> String {
    if name.contains('.') || space.is_empty() { name.to_owned() } else { format!("{space}.{name}") }
}
