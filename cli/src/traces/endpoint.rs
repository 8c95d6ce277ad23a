//! What the settings say of the collector, checked before anything is started.

use std::collections::HashMap;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use xiangyun_engine::{Error, ErrorKind};

use crate::settings::Otlp;

/// What is added to the collector's address.
const PATH: &str = "v1/traces";

/// The address that spans are posted to.
pub(super) fn url(otlp: &Otlp) -> Result<String, Error> {
    let bad = |problem: String| {
        let message = format!("`telemetry.otlp_endpoint` ({}): {problem}", otlp.origin);
        Error::new(ErrorKind::InvalidInput, message).with_hint("write it as http://host:4318, without a path of traces")
    };
    let given = &otlp.endpoint;
    let mut url = Url::parse(given).map_err(|error| bad(format!("`{given}` is no URL: {error}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        // Not shown: it holds a password.
        return Err(bad("the address holds a user or a password, which belong in `telemetry.otlp_headers`".into()));
    }
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(bad(format!("`{given}` is no address of an HTTP server")));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(bad(format!("`{given}` has more than a path")));
    }
    let path = url.path().trim_end_matches('/');
    if !path.ends_with(&format!("/{PATH}")) {
        let path = format!("{path}/{PATH}");
        url.set_path(&path);
    }
    Ok(url.into())
}

/// The headers that go along. What is wrong with one is told by its place: it may be a secret.
pub(super) fn headers(otlp: &Otlp) -> Result<HashMap<String, String>, Error> {
    let given = otlp.headers.as_ref().map(|headers| headers.expose().to_owned()).unwrap_or_default();
    let mut headers = HashMap::new();
    for (at, header) in given.split(',').enumerate().filter(|(_, header)| !header.trim().is_empty()) {
        let parts = header.split_once('=').map(|(name, value)| (name.trim(), value.trim()));
        let is_sound =
            |(name, value): &(&str, &str)| name.parse::<HeaderName>().is_ok() && value.parse::<HeaderValue>().is_ok();
        let Some((name, value)) = parts.filter(is_sound) else {
            let message = format!("`telemetry.otlp_headers`: header {} is not of the form name=value", at + 1);
            return Err(Error::new(ErrorKind::InvalidInput, message).with_hint("separate headers by commas"));
        };
        headers.insert(name.to_owned(), value.to_owned());
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

    use xiangyun_ingest::connection::SecretText;

    use super::*;
    use crate::settings::Origin;

    fn otlp(endpoint: &str, headers: Option<&str>) -> Otlp {
        Otlp {
            endpoint: endpoint.into(),
            origin: Origin::File { line: 3 },
            headers: headers.map(|headers| SecretText::new(headers.into())),
            sample_ratio: 1.0,
            service_name: "xiangyun".into(),
        }
    }

    #[test]
    fn the_path_of_traces_is_added_once() {
        for (given, meant) in [
            ("http://127.0.0.1:4318", "http://127.0.0.1:4318/v1/traces"),
            ("https://collector.example.gov.cn/otlp/", "https://collector.example.gov.cn/otlp/v1/traces"),
            ("http://collector:4318/v1/traces", "http://collector:4318/v1/traces"),
        ] {
            assert_eq!(url(&otlp(given, None)).unwrap(), meant);
        }
    }

    #[test]
    fn a_wrong_address_is_refused_with_the_setting_and_without_its_password() {
        for wrong in
            ["collector:4318", "127.0.0.1:4318", "grpc://collector:4317", "http://a:hunter2@b", "http://b/?a=1"]
        {
            let error = url(&otlp(wrong, None)).unwrap_err().to_string();
            assert!(error.starts_with("`telemetry.otlp_endpoint` (xiangyun.toml:3): "), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }

    #[test]
    fn headers_are_pairs_and_a_wrong_one_is_not_shown() {
        let read = headers(&otlp("http://b", Some("authorization=Bearer a=b, x-tenant=jilin,"))).unwrap();
        assert_eq!(read["authorization"], "Bearer a=b");
        assert_eq!((read["x-tenant"].as_str(), read.len()), ("jilin", 2));
        assert!(headers(&otlp("http://b", None)).unwrap().is_empty());
        for wrong in ["x=1,hunter2", "x=1,hunter 2=3"] {
            let error = headers(&otlp("http://b", Some(wrong))).unwrap_err().to_string();
            assert!(error.contains("header 2") && !error.contains("hunter"), "{error}");
        }
    }
}
