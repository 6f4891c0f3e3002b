//! What release engineers' commands read: a `versions.toml` where there is one, and a
//! registry where one is set.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use provisioning_package::{BundleName, PackageName};

use crate::commands::compat::{FileArgs, MatrixFile};
use crate::context::Context;
use crate::failure::{Failure, Outcome};
use crate::registry::RegistryReader;
use crate::settings::parse_duration;
use crate::trial::{Definition, Material, define};

/// How a trial is carried out.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct TrialArgs {
    #[command(flatten)]
    pub(crate) file: FileArgs,
    /// An archive that is not published yet; it counts as if it were
    #[arg(long = "archive", value_name = "FILE")]
    pub(crate) archives: Vec<PathBuf>,
    /// When a single command of the test is killed
    #[arg(long, value_name = "TIME", default_value = "10m", value_parser = patience)]
    pub(crate) timeout: Duration,
}

fn patience(text: &str) -> Result<Duration, String> {
    Duration::try_from(parse_duration(text)?).map_err(|_| "a time is not negative".to_owned())
}

/// What was read.
pub(crate) struct Desk {
    /// The file, where there is one.
    pub(crate) file: Option<MatrixFile>,
    path: PathBuf,
    /// The registry, where one is set.
    pub(crate) reader: Option<RegistryReader>,
}

impl Desk {
    /// Reads the file and opens the registry. A file that nobody named need not be there.
    pub(crate) async fn open(file: &FileArgs, context: &Context) -> Outcome<Self> {
        let path = context.env.absolute(&file.file);
        let is_left_out = file.file == Path::new("versions.toml") && !path.exists();
        let read = if is_left_out {
            None
        } else {
            Some(MatrixFile::read(&path, context)?)
        };
        let reader = match context.settings.registry_if_set() {
            Some(_) => Some(RegistryReader::open(context).await?),
            None => None,
        };
        if read.is_none() && reader.is_none() {
            return Err(
                Failure::usage("there is no `versions.toml` here, and no registry is set")
                    .with_hint(
                        "name the file with `--file`, or the registry with `--registry URL`",
                    ),
            );
        }
        Ok(Self {
            file: read,
            path,
            reader,
        })
    }

    /// What a bundle's name means.
    pub(crate) async fn define(
        &mut self,
        name: &BundleName,
        context: &Context,
    ) -> Outcome<Definition> {
        let file = (self.path.as_path(), self.file.as_ref());
        define(name, file, self.reader.as_mut(), context).await
    }

    /// The text of the matrix that holds for a trial: the file's, else the one in force.
    pub(crate) async fn matrix_text(&mut self) -> Outcome<String> {
        match (&self.file, &mut self.reader) {
            (Some(file), _) => file.merged(),
            (None, Some(reader)) => Ok(reader.matrix().await?.text),
            (None, None) => Ok(String::new()),
        }
    }

    /// Index entries and archives for everything that `definitions` name.
    pub(crate) async fn material(
        &mut self,
        definitions: &[&Definition],
        archives: &[PathBuf],
        context: &Context,
    ) -> Outcome<Material> {
        let members = definitions.iter().flat_map(|it| it.members());
        let roots: BTreeSet<PackageName> = members.map(|(name, _)| name).collect();
        Material::gather(self.reader.as_mut(), roots, archives, context).await
    }

    /// The bundles that one says it upgrades from.
    pub(crate) async fn older(
        &mut self,
        definition: &Definition,
        context: &Context,
    ) -> Outcome<Vec<Definition>> {
        let mut older = Vec::new();
        for name in &definition.request.upgrades_from {
            older.push(self.define(name, context).await?);
        }
        Ok(older)
    }
}
