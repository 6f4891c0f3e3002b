//! What a word of YAML 1.1 means when nobody put it in quotes.
//!
//! The rules are `PyYAML`'s, not those of YAML 1.2: a file that says `update_release: no`
//! has meant `false` to Packit for years.

use super::Value;

/// A word without quotes.
pub(super) fn plain(text: &str) -> Value {
    if matches!(text, "" | "~" | "null" | "Null" | "NULL") {
        return Value::Null;
    }
    if let Some(value) = boolean(text) {
        return Value::Bool(value);
    }
    if let Some(value) = integer(text) {
        return Value::Integer(value);
    }
    if let Some(value) = float(text) {
        return Value::Float(value);
    }
    if is_time(text) {
        return Value::Time(text.to_owned());
    }
    Value::Text(text.to_owned())
}

/// A word with one of YAML's own tags; `None` if it does not fit.
pub(super) fn tagged(text: &str, tag: &str) -> Option<Value> {
    match tag {
        "str" => Some(Value::Text(text.to_owned())),
        "null" => Some(Value::Null),
        "bool" => boolean(text).map(Value::Bool),
        "int" => integer(text).map(Value::Integer),
        "float" => {
            let value = float(text).or_else(|| text.parse().ok());
            value.map(Value::Float)
        }
        _ => None,
    }
}

fn boolean(text: &str) -> Option<bool> {
    match text {
        "yes" | "Yes" | "YES" | "true" | "True" | "TRUE" | "on" | "On" | "ON" => Some(true),
        "no" | "No" | "NO" | "false" | "False" | "FALSE" | "off" | "Off" | "OFF" => Some(false),
        _ => None,
    }
}

fn integer(text: &str) -> Option<i64> {
    let (negative, digits) = sign(text);
    if !digits.starts_with(|it: char| it.is_ascii_digit()) {
        return None;
    }
    let clean: String = digits.chars().filter(|it| *it != '_').collect();
    let magnitude = if let Some(binary) = clean.strip_prefix("0b") {
        i64::from_str_radix(binary, 2).ok()?
    } else if let Some(hex) = clean.strip_prefix("0x") {
        i64::from_str_radix(hex, 16).ok()?
    } else if clean.contains(':') {
        sexagesimal(&clean)?
    } else if clean.len() > 1 && clean.starts_with('0') {
        i64::from_str_radix(&clean, 8).ok()?
    } else if clean.bytes().all(|it| it.is_ascii_digit()) {
        clean.parse().ok()?
    } else {
        return None;
    };
    Some(if negative { -magnitude } else { magnitude })
}

/// `1:30` is ninety, as YAML 1.1 has it.
fn sexagesimal(text: &str) -> Option<i64> {
    let mut parts = text.split(':');
    let first = parts.next()?;
    if first.starts_with('0') || !first.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    parts.try_fold(first.parse().ok()?, |sum: i64, part| {
        let is_short = (1..=2).contains(&part.len());
        if !is_short || !part.bytes().all(|it| it.is_ascii_digit()) {
            return None;
        }
        let value: i64 = part.parse().ok()?;
        (value < 60).then_some(sum.checked_mul(60)?.checked_add(value)?)
    })
}

/// A point is needed, and a sign in the exponent: `1e3` is text.
fn float(text: &str) -> Option<f64> {
    let (negative, rest) = sign(text);
    let signed = |value: f64| if negative { -value } else { value };
    if matches!(rest, ".inf" | ".Inf" | ".INF") {
        return Some(signed(f64::INFINITY));
    }
    if matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Some(f64::NAN);
    }
    let (whole, fraction) = rest.split_once('.')?;
    let (digits, exponent) = match fraction.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, Some(exponent)),
        None => (fraction, None),
    };
    let is_number = |it: &str| it.bytes().all(|it| it.is_ascii_digit() || it == b'_');
    let has_whole = whole.starts_with(|it: char| it.is_ascii_digit()) && is_number(whole);
    let has_fraction = whole.is_empty()
        && text.starts_with('.')
        && digits.starts_with(|it: char| it.is_ascii_digit());
    if !(has_whole || has_fraction) || !is_number(digits) {
        return None;
    }
    if let Some(exponent) = exponent {
        let power = exponent.strip_prefix(['+', '-'])?;
        if power.is_empty() || !power.bytes().all(|it| it.is_ascii_digit()) {
            return None;
        }
    }
    rest.replace('_', "").parse().ok().map(signed)
}

fn sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

/// A day such as `2026-01-31`, alone or with a time.
fn is_time(text: &str) -> bool {
    let bytes = text.as_bytes();
    let digits =
        |from: usize, to: usize| (from..to).all(|at| bytes.get(at).is_some_and(u8::is_ascii_digit));
    let is_day = digits(0, 4)
        && bytes.get(4) == Some(&b'-')
        && digits(5, 7)
        && bytes.get(7) == Some(&b'-')
        && digits(8, 10);
    if bytes.len() == 10 {
        return is_day;
    }
    let rest = text.get(10..).unwrap_or("");
    let time = rest.trim_start_matches(['T', 't', ' ', '\t']);
    is_day && time.len() < rest.len() && time.contains(':') && time.as_bytes()[0].is_ascii_digit()
}
