//! What a function takes.

use arrow::datatypes::{DataType, TimeUnit};
use datafusion::common::{Result, plan_err};

/// What an argument holds, whatever Arrow type carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Kind {
    /// Text. Numbers are refused and not cast: a code that was read as a number has lost its leading zeros.
    Text,
    /// A day. Timestamps with a zone become the day in China, timestamps without one keep the day they show.
    Date,
    /// A whole number.
    Integer,
}

/// Whether an argument may be left out, and then all after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Presence {
    Required,
    Optional,
    /// Given exactly when the one before it is.
    WithPrevious,
}

/// One argument of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Argument {
    name: &'static str,
    kind: Kind,
    presence: Presence,
}

/// A text argument.
pub(crate) const fn text(name: &'static str) -> Argument {
    Argument { name, kind: Kind::Text, presence: Presence::Required }
}

/// A date argument.
pub(crate) const fn date(name: &'static str) -> Argument {
    Argument { name, kind: Kind::Date, presence: Presence::Required }
}

/// A whole number.
pub(crate) const fn integer(name: &'static str) -> Argument {
    Argument { name, kind: Kind::Integer, presence: Presence::Required }
}

impl Argument {
    /// This argument may be left out, and then all after it.
    pub(crate) const fn optional(mut self) -> Self {
        self.presence = Presence::Optional;
        self
    }

    /// This argument is given exactly when the one before it is.
    pub(crate) const fn with_previous(mut self) -> Self {
        self.presence = Presence::WithPrevious;
        self
    }

    /// The Arrow type that a value of type `given` is cast to before the rule sees it; None if it is of another kind.
    fn coerce(&self, given: &DataType) -> Option<DataType> {
        use DataType::*;
        match (self.kind, given) {
            (kind, Dictionary(_, value)) => Self { kind, ..*self }.coerce(value),
            (Kind::Text, Utf8 | LargeUtf8 | Utf8View) => Some(given.clone()),
            (Kind::Text, Null) => Some(Utf8),
            (Kind::Date, Timestamp(_, zone)) => Some(Timestamp(TimeUnit::Microsecond, zone.clone())),
            (Kind::Date, Date32 | Date64 | Utf8 | LargeUtf8 | Utf8View | Null) => Some(Date32),
            (Kind::Integer, Null) => Some(Int64),
            (Kind::Integer, integer) if integer.is_integer() => Some(Int64),
            _ => None,
        }
    }
}

/// The types that the arguments of `function` are cast to.
pub(crate) fn coerce(function: &str, arguments: &[Argument], given: &[DataType]) -> Result<Vec<DataType>> {
    let may_end = match arguments.get(given.len()) {
        Some(next) => next.presence == Presence::Optional,
        None => given.len() == arguments.len(),
    };
    if !may_end {
        return plan_err!("{} does not take {} arguments", syntax(function, arguments), given.len());
    }
    arguments
        .iter()
        .zip(given)
        .map(|(argument, given)| match argument.coerce(given) {
            Some(target) => Ok(target),
            None => {
                let wanted = match argument.kind {
                    Kind::Text => "text",
                    Kind::Date => "a date",
                    Kind::Integer => "a whole number",
                };
                let call = syntax(function, arguments);
                plan_err!("{call} takes {wanted} for `{}`, not {given}", argument.name)
            }
        })
        .collect()
}

/// How `function` is called, as in `division_name(code[, on])`.
pub(crate) fn syntax(function: &str, arguments: &[Argument]) -> String {
    let mut call = format!("{function}(");
    let mut brackets = 0;
    for (position, argument) in arguments.iter().enumerate() {
        if argument.presence == Presence::Optional {
            call.push('[');
            brackets += 1;
        }
        if position > 0 {
            call.push_str(", ");
        }
        call.push_str(argument.name);
    }
    call.push_str(&"]".repeat(brackets));
    call.push(')');
    call
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn optional_arguments_nest_or_come_in_pairs() {
        assert_eq!(syntax("f", &[text("a"), date("b").optional(), date("c").optional()]), "f(a[, b[, c]])");
        assert_eq!(syntax("g", &[]), "g()");
        let pair = [text("a"), date("b").optional(), date("c").with_previous()];
        assert_eq!(syntax("h", &pair), "h(a[, b, c])");
        let given = |count| vec![DataType::Null; count];
        assert!(coerce("h", &pair, &given(1)).is_ok() && coerce("h", &pair, &given(3)).is_ok());
        for count in [0, 2, 4] {
            let error = coerce("h", &pair, &given(count)).expect_err("a wrong number of arguments").to_string();
            assert!(error.contains(&format!("h(a[, b, c]) does not take {count} arguments")), "{error}");
        }
    }

    #[test]
    fn a_number_is_not_a_code() {
        let error = coerce("f", &[text("code")], &[DataType::Int64]).expect_err("a number").to_string();
        assert!(error.contains("f(code) takes text for `code`, not Int64"), "{error}");
    }

    #[test]
    fn text_keeps_its_layout_and_dictionaries_are_read_by_value() {
        let dictionary = DataType::Dictionary(Box::new(DataType::Int32), Box::new(DataType::Utf8));
        for (given, target) in [(DataType::Utf8View, DataType::Utf8View), (dictionary, DataType::Utf8)] {
            assert_eq!(coerce("f", &[text("code")], &[given]).expect("text"), [target]);
        }
    }
}
