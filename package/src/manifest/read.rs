//! From TOML to [`Manifest`]: every rule about what a manifest may say.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::str::FromStr;

use semver::{Version, VersionReq};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::notes::Notes;
use super::section::{Located, Section, wrong_type};
use super::{
    InstallSection, MANIFEST_BYTES_MAX, Manifest, ManifestDependency, ManifestErrors,
    ParsedManifest, SourceFacts, TestSection,
};
use crate::archive::{EntryPath, ExcludeGlobs};
use crate::extension_type::ExtensionType;
use crate::kind::Kind;
use crate::name::PackageName;

/// Reads a whole manifest.
pub(super) fn manifest(text: &str, facts: &SourceFacts) -> Result<ParsedManifest, ManifestErrors> {
    let mut notes = Notes::new(text);
    if text.len() > MANIFEST_BYTES_MAX {
        let size = text.len();
        let message = format!("{size} bytes are too many: {MANIFEST_BYTES_MAX} is the most");
        notes.error(&(0..0), message);
        return Err(ManifestErrors(notes.finish().0));
    }
    let (document, problems) = DeTable::parse_recoverable(text);
    for problem in problems {
        let span = problem.span().unwrap_or(0..0);
        notes.error(&span, problem.message().replace('\n', ", "));
    }
    // What follows a syntax error is guesswork; complaints about it would mislead.
    if notes.has_errors() {
        return Err(ManifestErrors(notes.finish().0));
    }
    let manifest = document_to_manifest(&document, facts, &mut notes);
    let (errors, warnings) = notes.finish();
    match manifest {
        Some(manifest) if errors.is_empty() => Ok(ParsedManifest { manifest, warnings }),
        Some(_) | None => Err(ManifestErrors(errors)),
    }
}

fn document_to_manifest(
    document: &Spanned<DeTable<'_>>,
    facts: &SourceFacts,
    notes: &mut Notes<'_>,
) -> Option<Manifest> {
    let mut root = Section::root(document);
    let extension = root.child("extension", notes);
    let package = root.child("package", notes);
    let dependencies = root.child("dependencies", notes);
    let requires = root.child("requires", notes);
    let install = root.child("install", notes);
    let test = root.child("test", notes);
    let (has_extension, has_package) = (root.has("extension"), root.has("package"));
    root.finish(notes);
    let mut head = match (has_extension, has_package) {
        (true, false) => Head::extension(extension, facts, notes),
        (false, true) => Head::package(package, facts, notes),
        (true, true) => {
            let message = "a manifest has `[extension]` or `[package]`, not both";
            notes.error(package.span(), message);
            Head::extension(extension, facts, notes)
        }
        (false, false) => {
            let message = "neither `[extension]` nor `[package]`: write `[extension]` for an \
                           extension, `[package]` with `kind` for everything else";
            notes.error(&(0..0), message);
            Head::default()
        }
    };
    let core_requirement = head.core_requirement.take();
    let dependencies = read_dependencies(&dependencies, core_requirement, &head, notes);
    let requires = read_requires(&requires, notes);
    let install = read_install(install, head.kind, notes);
    let test = read_test(test, notes);
    Some(Manifest {
        kind: head.kind?,
        name: head.name?,
        version: head.version?,
        extension_type: head.extension_type,
        api: head.api,
        description: head.description,
        license: head.license,
        repository: head.repository,
        keywords: head.keywords,
        upstream_version: head.upstream_version,
        dependencies,
        requires,
        install,
        test,
    })
}

/// What `[extension]` or `[package]` says; `None` where it is wrong or absent.
#[derive(Default)]
struct Head {
    kind: Option<Kind>,
    name: Option<PackageName>,
    version: Option<Version>,
    extension_type: Option<ExtensionType>,
    api: Option<Version>,
    core_requirement: Option<VersionReq>,
    description: Option<String>,
    license: Option<String>,
    repository: Option<String>,
    keywords: Vec<String>,
    upstream_version: Option<String>,
}

impl Head {
    fn extension(mut section: Section<'_>, facts: &SourceFacts, notes: &mut Notes<'_>) -> Self {
        let name = section.required("name", notes).and_then(|name| {
            let parsed = PackageName::parse(&name.value);
            match located(parsed, &name.span, notes)? {
                short if short.kind() != Kind::Extension => {
                    let message = format!(
                        "`{short}` cannot name an extension: it is a kind of package, which \
                         `[package]` with `kind = \"{short}\"` writes"
                    );
                    notes.error(&name.span, message);
                    None
                }
                short => Some(short),
            }
        });
        let extension_type = section
            .required("type", notes)
            .and_then(|it| parsed(&it, notes));
        let api = section
            .text("api", notes)
            .and_then(|it| version(&it, notes));
        let head = Self {
            kind: Some(Kind::Extension),
            name,
            extension_type,
            api,
            ..Self::default()
        };
        head.with_common(section, facts, notes)
    }

    fn package(mut section: Section<'_>, facts: &SourceFacts, notes: &mut Notes<'_>) -> Self {
        let kind = section.required("kind", notes).and_then(|it| {
            let kind = parsed(&it, notes)?;
            if kind == Kind::Extension {
                let message = "an extension writes `[extension]` instead of `[package]`";
                notes.error(&it.span, message);
                return None;
            }
            Some(kind)
        });
        let name = kind.and_then(PackageName::of_kind);
        if let (Some(written), Some(name)) = (section.text("name", notes), &name)
            && PackageName::from_user(&written.value).as_ref() != Ok(name)
        {
            let message = format!("the package of kind `{name}` is called `{name}`");
            notes.error(&written.span, message);
        }
        let head = Self {
            kind,
            name,
            ..Self::default()
        };
        head.with_common(section, facts, notes)
    }

    /// The keys that both forms share.
    fn with_common(
        mut self,
        mut section: Section<'_>,
        facts: &SourceFacts,
        notes: &mut Notes<'_>,
    ) -> Self {
        self.version = match &facts.version {
            Some(version) if !section.has("version") => Some(version.clone()),
            Some(_) | None => section
                .required("version", notes)
                .and_then(|it| version(&it, notes)),
        };
        if let (Some(own), Some(fact)) = (&self.version, &facts.version)
            && own != fact
        {
            let message = format!("`version` is `{own}` here but the source tree says `{fact}`");
            notes.warn(section.span(), message);
        }
        let own = section.text("core-version", notes);
        let own_span = own.as_ref().map(|it| it.span.clone());
        let own = own.and_then(|it| requirement(&it, notes));
        if let (Some(span), Some(Kind::Core)) = (own_span, self.kind) {
            notes.error(&span, "the core cannot depend on itself");
        } else {
            let fact = facts
                .core_version
                .clone()
                .filter(|_| self.kind != Some(Kind::Core));
            self.core_requirement = both(own, fact);
        }
        let mut text = |key| section.text(key, notes).map(|it| it.value);
        self.description = text("description");
        self.license = text("license");
        self.repository = text("repository");
        self.upstream_version = text("upstream-version");
        self.keywords = values(section.texts("keywords", notes));
        section.finish(notes);
        self
    }
}

fn read_dependencies(
    section: &Section<'_>,
    core_requirement: Option<VersionReq>,
    head: &Head,
    notes: &mut Notes<'_>,
) -> BTreeMap<PackageName, ManifestDependency> {
    let mut dependencies = BTreeMap::new();
    for (key, value) in section.entries() {
        let dependency = read_dependency(&key.value, value, notes);
        let Some(name) = located(PackageName::from_user(&key.value), &key.span, notes) else {
            continue;
        };
        if head.name.as_ref() == Some(&name) {
            notes.error(&key.span, format!("`{name}` cannot depend on itself"));
        }
        let Some(dependency) = dependency else {
            continue;
        };
        if dependencies.insert(name.clone(), dependency).is_some() {
            notes.error(&key.span, format!("the dependency `{name}` is named twice"));
        }
    }
    if let Some(req) = core_requirement {
        let core = PackageName::of_kind(Kind::Core).expect("the core is one package");
        let written = dependencies.remove(&core).map(|it| it.req);
        let merged = ManifestDependency {
            req: both(written, Some(req)).unwrap_or(VersionReq::STAR),
            optional: false,
        };
        dependencies.insert(core, merged);
    }
    dependencies
}

fn read_dependency(
    name: &str,
    value: &Spanned<DeValue<'_>>,
    notes: &mut Notes<'_>,
) -> Option<ManifestDependency> {
    let span = value.span();
    if let DeValue::Table(table) = value.get_ref() {
        let label = format!("dependencies.{}", name.escape_debug());
        let mut section = Section::inline(label, table, span);
        let req = section.required("version", notes);
        let optional = section.flag("optional", notes);
        section.finish(notes);
        let req = requirement(&req?, notes)?;
        return Some(ManifestDependency { req, optional });
    }
    let Some(text) = value.get_ref().as_str() else {
        wrong_type(notes, name, "a requirement such as `\"^1.0\"`", value);
        return None;
    };
    let text = Located {
        value: text.to_owned(),
        span,
    };
    let req = requirement(&text, notes)?;
    Some(ManifestDependency {
        req,
        optional: false,
    })
}

fn read_requires(section: &Section<'_>, notes: &mut Notes<'_>) -> BTreeMap<String, VersionReq> {
    let mut requires = BTreeMap::new();
    for (key, value) in section.entries() {
        // The name is looked up in PATH and shown in hints: a path or an option would be
        // something else than a command.
        let is_command = !key.value.is_empty()
            && !key.value.starts_with(['-', '.'])
            && !key
                .value
                .contains(|it: char| it == '/' || it.is_control() || it.is_whitespace());
        if !is_command {
            let name = key.value.escape_debug();
            notes.error(&key.span, format!("`{name}` is not the name of a command"));
        }
        let Some(text) = value.get_ref().as_str() else {
            wrong_type(
                notes,
                &key.value,
                "a requirement such as `\">=1.0\"`",
                value,
            );
            continue;
        };
        let text = Located {
            value: text.to_owned(),
            span: value.span(),
        };
        if let Some(req) = requirement(&text, notes) {
            requires.insert(key.value, req);
        }
    }
    requires
}

fn read_install(
    mut section: Section<'_>,
    kind: Option<Kind>,
    notes: &mut Notes<'_>,
) -> InstallSection {
    let bin = section.texts("bin", notes);
    let cli = section.text("cli", notes);
    let config = section.texts("config", notes);
    let exclude = section.texts("exclude", notes);
    section.finish(notes);
    let mut commands = BTreeSet::new();
    for path in &bin {
        check_path(path, notes);
        let command = path.value.rsplit('/').next().unwrap_or_default();
        if !commands.insert(command.to_owned()) {
            notes.error(
                &path.span,
                format!("two programs would be called `{command}`"),
            );
        }
        if command == "provisioning" && kind.is_some_and(|it| it != Kind::Client) {
            let message = "`provisioning` is the client's own command: give the program another \
                           name, or let the core's `cli` take its subcommands";
            notes.error(&path.span, message);
        }
    }
    if let Some(path) = &cli {
        check_path(path, notes);
        if kind.is_some_and(|it| it != Kind::Core) {
            notes.error(&path.span, "`cli` is for the core alone");
        }
    }
    for glob in config.iter().chain(&exclude) {
        check_glob(glob, notes);
    }
    for glob in &exclude {
        let Ok(matcher) = ExcludeGlobs::new(std::slice::from_ref(&glob.value)) else {
            continue;
        };
        let own = [Manifest::FILE].into_iter();
        let programs = bin.iter().chain(&cli).map(|it| it.value.as_str());
        for path in own.chain(programs) {
            if matcher.is_match(path) {
                let message =
                    format!("`exclude` would leave out `{path}`, which the package needs");
                notes.error(&glob.span, message);
            }
        }
    }
    InstallSection {
        bin: values(bin),
        cli: cli.map(|it| it.value),
        config: values(config),
        exclude: values(exclude),
    }
}

fn read_test(mut section: Section<'_>, notes: &mut Notes<'_>) -> TestSection {
    let smoke = section.texts("smoke", notes);
    if smoke.first().is_some_and(|it| it.value.is_empty()) {
        notes.error(&smoke[0].span, "`smoke` begins with an empty command");
    }
    section.finish(notes);
    TestSection {
        smoke: values(smoke),
    }
}

/// A path inside the archive, by the rules that entries follow.
fn check_path(path: &Located<String>, notes: &mut Notes<'_>) {
    let trimmed = path.value.trim_end_matches('/');
    match EntryPath::parse(path.value.as_bytes()) {
        Ok(parsed) if trimmed == path.value && parsed.as_str() == path.value => {}
        Ok(_) => {
            let shown = path.value.escape_debug();
            notes.error(
                &path.span,
                format!("`{shown}` is not a plain path of a file"),
            );
        }
        Err(problem) => notes.error(&path.span, problem.to_string()),
    }
}

/// A glob that only reaches into the archive.
fn check_glob(glob: &Located<String>, notes: &mut Notes<'_>) {
    let shown = glob.value.escape_debug();
    if glob.value.starts_with('/') || glob.value.split('/').any(|it| it == "..") {
        let message = format!("`{shown}` must be relative to the package and stay inside it");
        notes.error(&glob.span, message);
    } else if let Err(reason) = ExcludeGlobs::new(std::slice::from_ref(&glob.value)) {
        notes.error(&glob.span, format!("`{shown}` is not a glob: {reason}"));
    }
}

fn values(texts: Vec<Located<String>>) -> Vec<String> {
    texts.into_iter().map(|it| it.value).collect()
}

fn located<T, E: std::fmt::Display>(
    result: Result<T, E>,
    span: &Range<usize>,
    notes: &mut Notes<'_>,
) -> Option<T> {
    result
        .map_err(|problem| notes.error(span, problem.to_string()))
        .ok()
}

fn parsed<T: FromStr<Err: std::fmt::Display>>(
    text: &Located<String>,
    notes: &mut Notes<'_>,
) -> Option<T> {
    located(text.value.parse(), &text.span, notes)
}

fn version(text: &Located<String>, notes: &mut Notes<'_>) -> Option<Version> {
    let shown = text.value.escape_debug();
    let read = Version::parse(&text.value);
    let read = read.map_err(|it| format!("`{shown}` is not a SemVer version: {it}"));
    located(read, &text.span, notes)
}

fn requirement(text: &Located<String>, notes: &mut Notes<'_>) -> Option<VersionReq> {
    let shown = text.value.escape_debug();
    let read = VersionReq::parse(&text.value);
    let read = read.map_err(|it| format!("`{shown}` is not a version requirement: {it}"));
    located(read, &text.span, notes)
}

/// The requirement that holds when both do.
pub(super) fn both(one: Option<VersionReq>, other: Option<VersionReq>) -> Option<VersionReq> {
    match (one, other) {
        (Some(mut one), Some(other)) => {
            for comparator in other.comparators {
                if !one.comparators.contains(&comparator) {
                    one.comparators.push(comparator);
                }
            }
            Some(one)
        }
        (one, other) => one.or(other),
    }
}
