//! `[compatibility.NAME]`: rows of the matrix.

use provisioning_package::{InvalidName, PackageName, Version, VersionReq};

use super::reader::{Key, Reader, Value, entries};
use crate::matrix::{Bound, BoundOn, Matrix, Row};
use crate::requirement::is_satisfiable;

/// Reads everything under `[compatibility]`.
pub(super) fn read<'t>(reader: &mut Reader<'t>, value: &Value<'t>, matrix: &mut Matrix) {
    let Some(packages) = reader.table(value, "packages and their rows") else {
        return;
    };
    for (key, rows) in entries(packages) {
        let name = match PackageName::from_user(key.get_ref()) {
            Ok(name) => name,
            Err(problem) => {
                reader.error(key, problem.to_string());
                continue;
            }
        };
        let Some(rows) = reader.table(rows, "rows by version") else {
            continue;
        };
        for (version, bounds) in entries(rows) {
            read_row(reader, &name, version, bounds, matrix);
        }
    }
}

fn read_row<'t>(
    reader: &mut Reader<'t>,
    name: &PackageName,
    key: &Key<'t>,
    value: &Value<'t>,
    matrix: &mut Matrix,
) {
    let version = match Version::parse(key.get_ref()) {
        Ok(version) => Some(version),
        Err(problem) => {
            let text = key.get_ref();
            // A version without quotes is a path of keys to TOML: `3.2.1` is 3, then 2, then 1.
            let is_unquoted = text.bytes().all(|it| it.is_ascii_digit());
            let quotes = if is_unquoted {
                " (a version needs quotes: `\"3.2.1\"`)"
            } else {
                ""
            };
            let problem = format!("`{text}` is not a SemVer version: {problem}{quotes}");
            reader.error(key, problem);
            None
        }
    };
    let Some(table) = reader.table(value, "what the version goes together with") else {
        return;
    };
    let bounds = entries(table)
        .into_iter()
        .filter_map(|(key, value)| read_bound(reader, name, key, value))
        .collect();
    let Some(version) = version else { return };
    let (line, column) = reader.place(&key.span());
    let row = Row {
        bounds,
        file: reader.file(),
        line,
        column,
    };
    if let Some(first) = matrix.insert(name.clone(), &version, row) {
        let first = format!("{} line {}", first.file, first.line);
        let problem = format!("{name} {version} has a row already, in {first}: join the two");
        reader.error(key, problem);
    }
}

fn read_bound<'t>(
    reader: &mut Reader<'t>,
    owner: &PackageName,
    key: &Key<'t>,
    value: &Value<'t>,
) -> Option<Bound> {
    let text = key.get_ref().as_ref();
    let (is_minimum, named) = match text.strip_prefix("min-") {
        Some(rest) => (true, rest),
        None => (false, text),
    };
    let on = match bound_on(named) {
        Ok(on) => on,
        Err(problem) => {
            let problem = format!("unknown key `{text}` is ignored: {problem}");
            reader.warn(key, problem);
            return None;
        }
    };
    if on == BoundOn::Package(owner.clone()) {
        let problem = format!("a row of {owner} cannot bound {owner} itself");
        reader.error(key, problem);
        return None;
    }
    let found = reader.string(value, "a requirement")?;
    let req = if is_minimum {
        Version::parse(found)
            .map_err(|problem| format!("`{found}` is not a SemVer version: {problem}"))
            .and_then(|it| VersionReq::parse(&format!(">={it}")).map_err(|it| it.to_string()))
    } else {
        VersionReq::parse(found)
            .map_err(|problem| format!("`{found}` is not a requirement: {problem}"))
    };
    let req = match req {
        Ok(req) if is_satisfiable(&[&req]) => req,
        Ok(_) => {
            reader.error(value, format!("no version can meet `{found}`"));
            return None;
        }
        Err(problem) => {
            reader.error(value, problem);
            return None;
        }
    };
    let (line, column) = reader.place(&value.span());
    Some(Bound {
        on,
        req,
        key: text.to_owned(),
        line,
        column,
    })
}

fn bound_on(name: &str) -> Result<BoundOn, InvalidName> {
    if name == "extensions" {
        Ok(BoundOn::ExtensionApi)
    } else {
        PackageName::from_user(name).map(BoundOn::Package)
    }
}
