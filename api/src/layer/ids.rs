//! Under which names a request is known: the caller's where they are sound.

use axum::http::{HeaderMap, HeaderName};
use uuid::Uuid;

use crate::telemetry::TraceParent;

pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
/// Characters of an id that is taken over.
const ID_CHARACTERS: usize = 64;

/// The caller's `x-request-id` where it is 1 to 64 visible ASCII characters, one of ours otherwise.
pub(super) fn request_id(headers: &HeaderMap) -> String {
    let given = headers.get(REQUEST_ID).map(|value| value.as_bytes()).unwrap_or_default();
    let sound = (1..=ID_CHARACTERS).contains(&given.len()) && given.iter().all(u8::is_ascii_graphic);
    match std::str::from_utf8(given) {
        Ok(given) if sound => given.to_owned(),
        _ => Uuid::now_v7().to_string(),
    }
}

/// The caller's span of a W3C `traceparent`: `version-trace-parent-flags`, all in lower-case hexadecimal.
pub(super) fn trace_parent(headers: &HeaderMap) -> Option<TraceParent<'_>> {
    let value = headers.get(TRACE_PARENT)?.to_str().ok()?;
    let mut parts = value.split('-');
    let (version, trace, parent, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_zero = |text: &str| text.bytes().all(|byte| byte == b'0');
    let sound = is_hex(version, 2) && is_hex(trace, 32) && is_hex(parent, 16) && is_hex(flags, 2);
    // Version 0 has four parts; later ones may have more, and `ff` is none.
    let known = version != "ff" && (version != "00" || parts.next().is_none());
    let sampled = u8::from_str_radix(flags, 16).is_ok_and(|flags| flags & 1 == 1);
    (sound && known && !is_zero(trace) && !is_zero(parent)).then_some(TraceParent {
        trace_id: trace,
        span_id: parent,
        sampled,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use axum::http::HeaderValue;

    use super::*;

    fn headers(name: HeaderName, value: &[u8]) -> HeaderMap {
        HeaderMap::from_iter([(name, HeaderValue::from_bytes(value).unwrap())])
    }

    #[test]
    fn a_sound_request_id_is_taken_over_and_any_other_replaced() {
        let longest = "x".repeat(64);
        for sound in ["a", "0197c0de-1/2", "~!", &longest] {
            assert_eq!(request_id(&headers(REQUEST_ID, sound.as_bytes())), sound);
        }
        let too_long = "x".repeat(65);
        for unsound in ["", "a b", "a\tb", "祥云", &too_long] {
            let made = request_id(&headers(REQUEST_ID, unsound.as_bytes()));
            assert!(made.parse::<Uuid>().is_ok(), "{unsound:?}: {made}");
        }
        assert!(request_id(&HeaderMap::new()).parse::<Uuid>().is_ok());
    }

    // The examples of https://www.w3.org/TR/trace-context/.
    #[test]
    fn the_callers_span_is_read_from_a_sound_traceparent_only() {
        let (trace_id, span_id) = ("4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7");
        for (rest, sampled) in [("01", true), ("00", false), ("03", true), ("fe", false)] {
            let sound = headers(TRACE_PARENT, format!("00-{trace_id}-{span_id}-{rest}").as_bytes());
            assert_eq!(trace_parent(&sound), Some(TraceParent { trace_id, span_id, sampled }));
        }
        let later = "cc-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-the-future-will-be-like";
        let later = headers(TRACE_PARENT, later.as_bytes());
        assert_eq!(trace_parent(&later), Some(TraceParent { trace_id, span_id, sampled: true }));
        for unsound in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e473-00f067aa0ba902b7-01",
        ] {
            assert_eq!(trace_parent(&headers(TRACE_PARENT, unsound.as_bytes())), None, "{unsound}");
        }
    }
}
