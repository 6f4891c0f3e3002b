//! Answers that carry a file: validators, ranges and how long caches may keep it.

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use bytes::Bytes;

use crate::problem::{Code, Refusal, ServerError};
use crate::storage::{ByteRange, Found, Storage};

/// How long caches may keep an answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// The name holds the content's digest or version.
    Forever,
    /// Ask again every time.
    Revalidate,
    /// A minute, then ask again.
    Minute,
}

impl Keep {
    const fn header(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Self::Forever => "max-age=31536000, immutable",
            Self::Revalidate => "no-cache",
            Self::Minute => "max-age=60",
        })
    }
}

/// What is told about a file.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Facts<'a> {
    pub(crate) content_type: &'static str,
    /// The digest of the content, as bare hexadecimal digits.
    pub(crate) tag: &'a str,
    pub(crate) keep: Keep,
}

/// Answers with bytes that are in memory.
pub(crate) fn bytes(facts: Facts<'_>, asked: &HeaderMap, bytes: Bytes) -> Response {
    if is_known(asked, facts.tag) {
        return not_modified(facts);
    }
    let length = bytes.len() as u64;
    match asked_range(asked, facts.tag, length) {
        Wanted::Outside => outside(length),
        Wanted::Whole => {
            let mut response = Response::new(Body::from(bytes));
            describe(&mut response, facts, length);
            response
        }
        Wanted::Part(range) => {
            let part = slice(&bytes, range);
            let mut response = Response::new(Body::from(part));
            describe(&mut response, facts, range.length);
            describe_part(&mut response, range, length);
            response
        }
    }
}

fn slice(bytes: &Bytes, range: ByteRange) -> Bytes {
    let index = |it: u64| usize::try_from(it).unwrap_or(usize::MAX).min(bytes.len());
    bytes.slice(index(range.start)..index(range.start + range.length))
}

/// Answers with a stored object, or the part of it that was asked for.
pub(crate) async fn object(
    storage: &Storage,
    path: &str,
    facts: Facts<'_>,
    asked: &HeaderMap,
) -> Result<Response, ServerError> {
    let length = match storage.find(path).await? {
        None => return Err(Refusal::new(Code::NotFound, format!("there is no `{path}`")).into()),
        Some(Found::Small(file)) => return Ok(bytes(facts, asked, file.bytes.clone())),
        Some(Found::Large(length)) => length,
    };
    if is_known(asked, facts.tag) {
        return Ok(not_modified(facts));
    }
    let wanted = match asked_range(asked, facts.tag, length) {
        Wanted::Whole => None,
        Wanted::Part(range) => Some(range),
        Wanted::Outside => return Ok(outside(length)),
    };
    let range = wanted.unwrap_or(ByteRange { start: 0, length });
    let stream = storage.stream(path, range).await?;
    let mut response = Response::new(Body::from_stream(stream));
    describe(&mut response, facts, range.length);
    if wanted.is_some() {
        describe_part(&mut response, range, length);
    }
    Ok(response)
}

/// Says which part of `length` bytes an answer carries.
fn describe_part(response: &mut Response, range: ByteRange, length: u64) {
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let last = range.start + range.length - 1;
    insert_text(
        response,
        header::CONTENT_RANGE,
        &format!("bytes {}-{last}/{length}", range.start),
    );
}

fn describe(response: &mut Response, facts: Facts<'_>, length: u64) {
    validate(response, facts);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static(facts.content_type),
    );
    headers.insert(header::CONTENT_LENGTH, length.into());
    headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
}

fn validate(response: &mut Response, facts: Facts<'_>) {
    insert_text(response, header::ETAG, &format!("\"{}\"", facts.tag));
    response
        .headers_mut()
        .insert(header::CACHE_CONTROL, facts.keep.header());
}

fn insert_text(response: &mut Response, name: header::HeaderName, text: &str) {
    let value = HeaderValue::from_str(text).expect("digits, quotes and spaces are header text");
    response.headers_mut().insert(name, value);
}

fn not_modified(facts: Facts<'_>) -> Response {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    validate(&mut response, facts);
    response
}

fn outside(length: u64) -> Response {
    let refusal = Refusal::new(
        Code::RangeNotSatisfiable,
        format!("the range lies outside the file's {length} bytes"),
    );
    let mut response = refusal.into_response();
    insert_text(
        &mut response,
        header::CONTENT_RANGE,
        &format!("bytes */{length}"),
    );
    response
}

/// Whether the client has these bytes: `If-None-Match` alone says so (RFC 9110 section
/// 13.1.2, weak comparison).
pub(crate) fn is_known(asked: &HeaderMap, tag: &str) -> bool {
    asked
        .get_all(header::IF_NONE_MATCH)
        .iter()
        .filter_map(|it| it.to_str().ok())
        .flat_map(|it| it.split(','))
        .map(str::trim)
        .any(|it| it == "*" || is_tag(it.strip_prefix("W/").unwrap_or(it), tag))
}

fn is_tag(quoted: &str, tag: &str) -> bool {
    quoted
        .strip_prefix('"')
        .and_then(|it| it.strip_suffix('"'))
        .is_some_and(|it| it == tag)
}

/// What part of a file is wanted.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    Part(ByteRange),
    Outside,
}

/// Reads `Range`; a header that is malformed, has several ranges, or whose `If-Range`
/// names other bytes counts as absent (RFC 9110 sections 13.1.5 and 14.2).
fn asked_range(asked: &HeaderMap, tag: &str, length: u64) -> Wanted {
    if let Some(condition) = asked.get(header::IF_RANGE)
        && !condition.to_str().is_ok_and(|it| is_tag(it, tag))
    {
        return Wanted::Whole;
    }
    let range = asked.get(header::RANGE).and_then(|it| it.to_str().ok());
    match range.and_then(|it| it.trim().split_once('=')) {
        Some((unit, range)) if unit.eq_ignore_ascii_case("bytes") => {
            parse_range(range.trim(), length)
        }
        Some(_) | None => Wanted::Whole,
    }
}

fn parse_range(range: &str, length: u64) -> Wanted {
    let Some((first, last)) = range.split_once('-') else {
        return Wanted::Whole;
    };
    let number = |text: &str| {
        let is_digits = !text.is_empty() && text.bytes().all(|it| it.is_ascii_digit());
        // More digits than fit mean more than any file has.
        is_digits.then(|| text.parse::<u64>().unwrap_or(u64::MAX))
    };
    let (start, end) = match (number(first), number(last)) {
        (Some(start), Some(last)) if last >= start => (start, last.saturating_add(1).min(length)),
        (Some(start), None) if last.is_empty() => (start, length),
        (None, Some(count)) if first.is_empty() && count > 0 => {
            (length.saturating_sub(count), length)
        }
        (None, Some(_)) if first.is_empty() => return Wanted::Outside,
        _ => return Wanted::Whole,
    };
    if start >= end {
        return Wanted::Outside;
    }
    Wanted::Part(ByteRange {
        start,
        length: end - start,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(start: u64, length: u64) -> Wanted {
        Wanted::Part(ByteRange { start, length })
    }

    #[test]
    fn ranges_read_as_the_rfc_says() {
        for (range, wanted) in [
            ("0-0", part(0, 1)),
            ("0-99", part(0, 100)),
            ("90-200", part(90, 10)),
            ("90-", part(90, 10)),
            ("-10", part(90, 10)),
            ("-1000", part(0, 100)),
            ("99999999999999999999-", Wanted::Outside),
            ("0-99999999999999999999", part(0, 100)),
            ("100-", Wanted::Outside),
            ("-0", Wanted::Outside),
            ("5-4", Wanted::Whole),
            ("0-1,3-4", Wanted::Whole),
            ("a-b", Wanted::Whole),
            ("+1-2", Wanted::Whole),
            ("", Wanted::Whole),
            ("-", Wanted::Whole),
        ] {
            assert_eq!(parse_range(range, 100), wanted, "{range}");
        }
        assert_eq!(parse_range("0-", 0), Wanted::Outside);
    }

    #[test]
    fn a_tag_matches_in_a_list_and_when_weak() {
        let known = |text: &'static str| {
            let mut asked = HeaderMap::new();
            asked.insert(header::IF_NONE_MATCH, HeaderValue::from_static(text));
            is_known(&asked, "ab")
        };
        assert!(known("\"ab\""));
        assert!(known("\"x\", W/\"ab\""));
        assert!(known("*"));
        assert!(!known("ab"));
        assert!(!known("\"abc\""));
    }
}
