//! The matrix as tables: one for each package that has rows.

use std::collections::BTreeSet;
use std::fmt;

use provisioning_package::{PackageName, Version};
use serde::Serialize;

use crate::matrix::Matrix;

/// The rows of one package.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Grid {
    /// The package.
    pub package: PackageName,
    /// What its rows bound, as the keys are written.
    pub columns: Vec<String>,
    /// Newest version first.
    pub rows: Vec<GridRow>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct GridRow {
    /// The version.
    pub version: Version,
    /// What it wants, by column; `None` where it says nothing.
    pub cells: Vec<Option<String>>,
    /// The line in the matrix.
    pub line: usize,
}

/// Every table of the matrix, by package.
pub fn grids(matrix: &Matrix) -> Vec<Grid> {
    let packages: BTreeSet<&PackageName> = matrix.rows().map(|(name, _, _)| name).collect();
    packages.into_iter().map(|it| grid(matrix, it)).collect()
}

fn grid(matrix: &Matrix, package: &PackageName) -> Grid {
    let rows: Vec<_> = matrix.rows().filter(|it| it.0 == package).collect();
    let mut columns: Vec<String> = Vec::new();
    for bound in rows.iter().flat_map(|it| &it.2.bounds) {
        if !columns.contains(&bound.key) {
            columns.push(bound.key.clone());
        }
    }
    columns.sort_by_key(|it| (it.starts_with("min-"), it.clone()));
    let rows = rows
        .into_iter()
        .rev()
        .map(|(_, version, row)| GridRow {
            version: version.clone(),
            cells: columns
                .iter()
                .map(|key| {
                    let bound = row.bounds.iter().find(|it| it.key == *key);
                    bound.map(|it| it.req.to_string())
                })
                .collect(),
            line: row.line,
        })
        .collect();
    Grid {
        package: package.clone(),
        columns,
        rows,
    }
}

impl fmt::Display for Grid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut table = vec![vec![self.package.to_string()]];
        table[0].extend(self.columns.iter().cloned());
        for row in &self.rows {
            let mut line = vec![row.version.to_string()];
            let cells = row.cells.iter();
            line.extend(cells.map(|it| it.clone().unwrap_or_else(|| "-".to_owned())));
            table.push(line);
        }
        let widths: Vec<usize> = (0..=self.columns.len())
            .map(|column| table.iter().map(|it| it[column].len()).max().unwrap_or(0))
            .collect();
        for (place, line) in table.iter().enumerate() {
            let cells: Vec<String> = line
                .iter()
                .zip(&widths)
                .map(|(cell, width)| format!("{cell:width$}"))
                .collect();
            let end = if place + 1 == table.len() { "" } else { "\n" };
            write!(f, "{}{end}", cells.join("  ").trim_end())?;
        }
        Ok(())
    }
}
