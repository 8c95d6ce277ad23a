//! Query parameters, taken one by one, so that one that nobody asked for is refused with the known ones.

use std::str::FromStr;

use axum::extract::{FromRequestParts, Query};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri};
use xiangyun_engine::project::nearest;
use xiangyun_engine::{Error, ErrorKind};

use crate::error::ApiError;

/// The parameters of one request's query string.
#[derive(Debug)]
pub(crate) struct Params {
    given: Vec<(String, String)>,
    known: Vec<String>,
}

impl<S: Sync> FromRequestParts<S> for Params {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, _state: &S) -> Result<Self, ApiError> {
        Self::of(&parts.uri)
    }
}

impl Params {
    /// Those of an address.
    pub(crate) fn of(address: &Uri) -> Result<Self, ApiError> {
        let Query(given) =
            Query::try_from_uri(address).map_err(|error| ApiError::http(StatusCode::BAD_REQUEST, error.body_text()))?;
        Ok(Self { given, known: Vec::new() })
    }

    /// The parameter's text; one that is empty counts as not given.
    pub(crate) fn text(&mut self, name: &'static str) -> Result<Option<String>, Error> {
        let mut values = self.all(name).into_iter();
        match (values.next(), values.next()) {
            (_, Some(_)) => Err(Error::new(ErrorKind::InvalidInput, format!("parameter `{name}` is given twice"))),
            (value, None) => Ok(value),
        }
    }

    /// The parameter read as a `T`.
    pub(crate) fn parsed<T: FromStr>(&mut self, name: &'static str, expected: &str) -> Result<Option<T>, Error> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        text.parse().map(Some).map_err(|_| {
            Error::new(ErrorKind::InvalidInput, format!("parameter `{name}` is `{text}`, and should be {expected}"))
        })
    }

    /// A list: separated by commas, or the parameter given several times.
    pub(crate) fn list(&mut self, name: &str) -> Vec<String> {
        let values = self.all(name);
        let items = values.iter().flat_map(|value| value.split(',')).map(str::trim);
        items.filter(|item| !item.is_empty()).map(str::to_owned).collect()
    }

    /// As [`Self::list`]; none where the parameter is not given at all. One that is given and empty is an empty list.
    pub(crate) fn chosen(&mut self, name: &str) -> Option<Vec<String>> {
        let given = self.given.iter().any(|(known, _)| known == name);
        let values = self.list(name);
        given.then_some(values)
    }

    /// Refuses what nobody took.
    pub(crate) fn finish(self) -> Result<(), Error> {
        let Some((name, _)) = self.given.first() else { return Ok(()) };
        let suggestion = nearest(name, self.known.iter().map(String::as_str));
        let suggestion = suggestion.map(|known| format!(", did you mean `{known}`?")).unwrap_or_default();
        let hint = match self.known.is_empty() {
            true => "no parameters are known here".to_owned(),
            false => format!("known parameters here: {}", self.known.join(", ")),
        };
        Err(Error::new(ErrorKind::InvalidInput, format!("unknown parameter `{name}`{suggestion}")).with_hint(hint))
    }

    fn all(&mut self, name: &str) -> Vec<String> {
        self.known.push(name.to_owned());
        let taken = self.given.extract_if(.., |(given, _)| given == name);
        taken.map(|(_, value)| value).filter(|value| !value.is_empty()).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;

    fn params(given: &[(&str, &str)]) -> Params {
        let given = given.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Params { given, known: Vec::new() }
    }

    #[test]
    fn what_nobody_took_is_refused_with_the_nearest_name() {
        let mut given = params(&[("limit", "3"), ("form", "csv")]);
        assert_eq!(given.parsed::<usize>("limit", "a whole number").unwrap(), Some(3));
        assert_eq!(given.text("from").unwrap(), None);
        assert_eq!(given.finish().unwrap_err().to_string(), "unknown parameter `form`, did you mean `from`?");
    }

    #[test]
    fn a_wrong_or_repeated_value_names_the_parameter() {
        let mut given = params(&[("limit", "x"), ("from", "1"), ("from", "2"), ("by", "a, b"), ("by", "c")]);
        let error = given.parsed::<usize>("limit", "a whole number").unwrap_err();
        assert_eq!(error.to_string(), "parameter `limit` is `x`, and should be a whole number");
        assert_eq!(given.text("from").unwrap_err().to_string(), "parameter `from` is given twice");
        assert_eq!(given.list("by"), ["a", "b", "c"]);
        assert!(given.finish().is_ok());
    }
}
