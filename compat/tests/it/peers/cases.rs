//! Cases as text: one format, read by the crate's tests and by those of the command.
//!
//! ```text
//! case: a conflict avoided while deciding
//!   foo 1.1.0: bar ^2.0.0
//!   foo 1.0.0
//!   bar 1.1.0 yanked
//! ask: foo@^1.0.0 bar@^1.0.0 --minimal
//! => bar 1.1.0, foo 1.0.0
//! ```
//!
//! Needs are parted by `;`; one that ends in `optional` only bounds. A refusal names every
//! package that takes part in it and no other: `=> refused: bar foo`.

/// The suites, each with the name of whoever published it.
pub(crate) const SUITES: [(&str, &str); 4] = [
    ("pub", include_str!("../../cases/pub_dev.txt")),
    ("cargo", include_str!("../../cases/cargo.txt")),
    ("packse", include_str!("../../cases/packse.txt")),
    ("pubgrub", include_str!("../../cases/pubgrub.txt")),
];

/// One case.
#[derive(Debug, Clone, Default)]
pub(crate) struct Case {
    pub(crate) title: String,
    pub(crate) versions: Vec<CaseVersion>,
    pub(crate) specs: Vec<String>,
    pub(crate) is_minimal: bool,
    pub(crate) lets_pre_releases_in: bool,
    pub(crate) expected: String,
}

/// One version of a package.
#[derive(Debug, Clone)]
pub(crate) struct CaseVersion {
    pub(crate) package: String,
    pub(crate) version: String,
    pub(crate) is_yanked: bool,
    pub(crate) needs: Vec<CaseNeed>,
}

/// What a version needs.
#[derive(Debug, Clone)]
pub(crate) struct CaseNeed {
    pub(crate) package: String,
    pub(crate) req: String,
    pub(crate) is_optional: bool,
}

/// Every case of a suite.
pub(crate) fn read(text: &str) -> Vec<Case> {
    let mut cases: Vec<Case> = Vec::new();
    for line in text.lines().map(str::trim) {
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(title) = line.strip_prefix("case: ") {
            cases.push(Case {
                title: title.to_owned(),
                ..Case::default()
            });
            continue;
        }
        let case = cases.last_mut().expect("a line before the first case");
        if let Some(asked) = line.strip_prefix("ask: ") {
            for word in asked.split_whitespace() {
                match word {
                    "--minimal" => case.is_minimal = true,
                    "--pre" => case.lets_pre_releases_in = true,
                    spec => case.specs.push(spec.to_owned()),
                }
            }
        } else if let Some(expected) = line.strip_prefix("=> ") {
            expected.clone_into(&mut case.expected);
        } else {
            case.versions.push(read_version(line));
        }
    }
    for case in &cases {
        assert!(!case.specs.is_empty(), "`{}` asks for nothing", case.title);
        assert!(
            !case.expected.is_empty(),
            "`{}` expects nothing",
            case.title
        );
    }
    cases
}

/// Reads `a 1.0.0: b ^1; c >=1, <2 optional`.
pub(crate) fn read_version(line: &str) -> CaseVersion {
    let (version, needs) = line.split_once(':').unwrap_or((line, ""));
    let (version, is_yanked) = match version.strip_suffix(" yanked") {
        Some(version) => (version, true),
        None => (version, false),
    };
    let (package, version) = version.split_once(' ').expect(line);
    let needs = needs.split(';').map(str::trim).filter(|it| !it.is_empty());
    let needs = needs.map(|need| {
        let (need, is_optional) = match need.strip_suffix(" optional") {
            Some(need) => (need, true),
            None => (need, false),
        };
        let (package, req) = need.split_once(' ').unwrap_or((need, "*"));
        CaseNeed {
            package: package.to_owned(),
            req: req.to_owned(),
            is_optional,
        }
    });
    CaseVersion {
        package: package.to_owned(),
        version: version.to_owned(),
        is_yanked,
        needs: needs.collect(),
    }
}
