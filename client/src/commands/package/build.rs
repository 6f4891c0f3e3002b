//! `provisioning package build`: make the archive of a folder.

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use provisioning_package::{
    ARCHIVE_MTIME_DEFAULT, ArchiveError, ArchiveFormat, BuildOptions, ExcludeGlobs, Manifest,
    Target, archive_file_name, build_archive, complete_manifest, inspect_archive,
};

use super::{ArchiveDocument, place, refused};
use crate::context::Context;
use crate::durable::sync_folder;
use crate::failure::{Exit, Failure, Outcome};

/// What the half-written archive's name begins with.
const STAGED_PREFIX: &str = ".provisioning-build-";

/// Make the archive of a folder: the same files give the same digest anywhere
///
/// The folder has a `manifest.toml`. Everything in it is packed but `.git/` and what
/// `[install] exclude` names.
///
/// A version may come from `version.toml` and a requirement on the core from `Cargo.toml`;
/// both are written into the archive's manifest. `SOURCE_DATE_EPOCH` sets the one time that
/// every entry carries.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: provisioning package build extensions/mongodb -o dist")]
pub(crate) struct Args {
    /// The folder to pack
    #[arg(default_value = ".", value_name = "DIR")]
    tree: PathBuf,
    /// The folder to put the archive into
    #[arg(short, long, default_value = ".", value_name = "DIR")]
    output: PathBuf,
    /// What the archive runs on: `any`, `linux-x86_64`, `linux-arm64`, `macos-x86_64`,
    /// `macos-arm64`
    #[arg(long, default_value = "any")]
    target: Target,
    /// How to pack it: `tar.zst`, or `tar.gz` for machines without zstd
    #[arg(long, default_value = "tar.zst", value_parser = parse_format)]
    format: ArchiveFormat,
}

fn parse_format(text: &str) -> Result<ArchiveFormat, String> {
    [ArchiveFormat::TarZst, ArchiveFormat::TarGz]
        .into_iter()
        .find(|it| it.as_str() == text)
        .ok_or_else(|| "expected `tar.zst` or `tar.gz`".to_owned())
}

/// Runs it.
pub(crate) fn run(args: &Args, context: &Context) -> Outcome<Exit> {
    let tree = context.env.absolute(&args.tree);
    let (manifest, text) = read_manifest(&tree, context)?;
    let folder = context.env.absolute(&args.output);
    std::fs::create_dir_all(&folder).map_err(|problem| Failure::io("create", &folder, &problem))?;
    let name = archive_file_name(&manifest.name, &manifest.version, args.target, args.format);
    let mut exclude = manifest.install.exclude.clone();
    exclude.extend(own_outputs(&tree, &folder, &manifest)?);
    let options = BuildOptions {
        format: args.format,
        exclude,
        replace: BTreeMap::from([(Manifest::FILE.to_owned(), text.into_bytes())]),
        mtime: source_date(context)?,
    };
    let archive = folder.join(&name);
    write_archive(&tree, &options, &archive)?;
    // Read back what was written, so that what is reported is what a registry will see.
    let report = inspect_archive(&archive).map_err(|it| refused(&archive, it))?;
    let shown = args.output.join(&name);
    let shown = shown.strip_prefix(".").unwrap_or(&shown);
    let document = ArchiveDocument::new(&archive, report, Some(&manifest));
    context.output.result(&document, |out| {
        writeln!(out, "{}", shown.display())?;
        writeln!(out, "{}", document.digest)?;
        writeln!(
            out,
            "{} in {} entries, {} packed",
            crate::output::bytes(document.unpacked),
            document.entries.len(),
            crate::output::bytes(document.size)
        )
    })?;
    Ok(Exit::Done)
}

/// The manifest, and the text that goes into the archive.
pub(crate) fn read_manifest(tree: &Path, context: &Context) -> Outcome<(Manifest, String)> {
    let path = tree.join(Manifest::FILE);
    let text = std::fs::read_to_string(&path).map_err(|problem| {
        Failure::io("read", &path, &problem).with_hint(
            "a package's folder has a `manifest.toml`; `package build DIR` names another folder",
        )
    })?;
    let facts = provisioning_sources::read_facts(tree)?;
    let parsed = Manifest::parse_with(&text, &facts).map_err(|problems| {
        Failure::new(
            "invalid-manifest",
            format!("`{}` is refused", path.display()),
        )
        .with_causes(problems.0.iter().map(place))
    })?;
    for note in &parsed.warnings {
        context.output.warning(&place(note));
    }
    Ok((parsed.manifest, complete_manifest(&text, &facts)))
}

/// Globs for the archives of this package that the folder of archives holds, where that
/// folder is inside the tree: an archive must not contain the one built before it.
fn own_outputs(tree: &Path, folder: &Path, manifest: &Manifest) -> Outcome<Vec<String>> {
    let resolve = |path: &Path| {
        path.canonicalize()
            .map_err(|problem| Failure::io("read", path, &problem))
    };
    let (tree, folder) = (resolve(tree)?, resolve(folder)?);
    let Ok(inside) = folder.strip_prefix(&tree) else {
        return Ok(Vec::new());
    };
    let Some(inside) = inside.to_str() else {
        return Ok(Vec::new());
    };
    let before = if inside.is_empty() {
        String::new()
    } else {
        format!("{}/", literal(inside))
    };
    let name = manifest.name.full();
    let endings = [ArchiveFormat::TarZst, ArchiveFormat::TarGz];
    let archives = endings.map(|it| format!("{before}{name}-[0-9]*.{it}"));
    let staged = format!("{before}{STAGED_PREFIX}*");
    let mut own: Vec<String> = archives.into_iter().chain([staged]).collect();
    // A folder that is there for the archives alone is none of the package's: with it, the
    // digest would depend on where the archive goes.
    let mut inside = Path::new(inside);
    while !inside.as_os_str().is_empty() && holds_only(&tree, inside, &own)? {
        own.push(literal(&inside.to_string_lossy()));
        inside = inside.parent().unwrap_or(Path::new(""));
    }
    Ok(own)
}

/// Whether everything in a folder of the tree matches one of these globs.
fn holds_only(tree: &Path, inside: &Path, globs: &[String]) -> Outcome<bool> {
    let globs = ExcludeGlobs::new(globs).map_err(ArchiveError::from)?;
    let folder = tree.join(inside);
    let failed = |problem: std::io::Error| Failure::io("read", &folder, &problem);
    for entry in std::fs::read_dir(&folder).map_err(failed)? {
        let path = inside.join(entry.map_err(failed)?.file_name());
        if !path.to_str().is_some_and(|it| globs.is_match(it)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// A glob that matches only `text` itself.
fn literal(text: &str) -> String {
    let escape = |it: char| match it {
        '*' | '?' | '[' | ']' | '{' | '}' | '\\' | '!' => format!("[{it}]"),
        other => other.to_string(),
    };
    text.chars().map(escape).collect()
}

/// The time that every entry carries: `SOURCE_DATE_EPOCH`, else a fixed one.
fn source_date(context: &Context) -> Outcome<u64> {
    let Some(text) = context.env.variable("SOURCE_DATE_EPOCH") else {
        return Ok(ARCHIVE_MTIME_DEFAULT);
    };
    text.parse().map_err(|_| {
        Failure::usage(format!(
            "`SOURCE_DATE_EPOCH` is `{text}`, not a number of seconds"
        ))
    })
}

/// Writes the archive beside its final name and renames it when it is whole.
fn write_archive(tree: &Path, options: &BuildOptions, archive: &Path) -> Outcome<()> {
    let folder = archive.parent().unwrap_or(Path::new("."));
    let failed = |problem: std::io::Error| Failure::io("write", archive, &problem);
    let mut staged = tempfile::Builder::new()
        .prefix(STAGED_PREFIX)
        .permissions(std::os::unix::fs::PermissionsExt::from_mode(0o644))
        .tempfile_in(folder)
        .map_err(failed)?;
    let mut out = std::io::BufWriter::with_capacity(1 << 20, staged.as_file_mut());
    build_archive(tree, options, &mut out).map_err(|it| refused(tree, it))?;
    out.flush().map_err(failed)?;
    drop(out);
    staged.as_file().sync_all().map_err(failed)?;
    staged.persist(archive).map_err(|it| failed(it.error))?;
    sync_folder(folder)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_glob_matches_its_own_text_only() {
        assert_eq!(literal("a/b c"), "a/b c");
        assert_eq!(literal("a*[x]"), "a[*][[]x[]]");
    }
}
