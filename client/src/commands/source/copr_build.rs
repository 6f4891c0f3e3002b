//! `provisioning source copr-build`: the request that a build service would get.

use provisioning_sources::config::{Effective, Purpose, SourceConfig};
use provisioning_sources::git::Git;
use serde::Serialize;
use serde_json::{Map, Value as Json, json};

use super::{Repository, RepositoryArgs};
use crate::context::Context;
use crate::failure::{Exit, Outcome};

/// Print the request that builds packages in a build service (Copr)
///
/// Values are those of the `copr_build` job that has the package, else the package's. Nothing
/// is sent: `source srpm` makes the source RPM that goes with it.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: provisioning source copr-build copr-cli --owner @copr --project copr-pull-requests"
)]
pub(crate) struct Args {
    /// Packages, by key or by downstream name; all if none is named
    #[arg(value_name = "PACKAGE")]
    packages: Vec<String>,
    /// The owner of the project
    #[arg(long, value_name = "NAME")]
    owner: Option<String>,
    /// The project
    #[arg(long, value_name = "NAME")]
    project: Option<String>,
    /// The chroots to build in; otherwise the configuration's targets
    #[arg(long, value_name = "TARGETS", value_delimiter = ',')]
    targets: Vec<String>,
}

#[derive(Serialize)]
struct Document {
    packages: Vec<Requested>,
}

#[derive(Serialize)]
struct Requested {
    package: String,
    method: &'static str,
    url: String,
    form: Json,
}

/// Runs it.
pub(crate) fn run(args: &Args, repository: &RepositoryArgs, context: &Context) -> Outcome<Exit> {
    let repository = Repository::open(repository, Purpose::Source, context)?;
    let config = repository.config(context)?;
    let keys = config.select(&args.packages)?;
    let branch = Git::new(&repository.root)
        .text(&["rev-parse", "--abbrev-ref", "HEAD"])
        .unwrap_or_default();
    let requested = |key: &str| {
        let values = of_job(&config, key);
        Requested {
            package: key.to_owned(),
            method: "POST",
            url: url(values),
            form: form(args, values, &branch),
        }
    };
    let document = Document {
        packages: keys.into_iter().map(requested).collect(),
    };
    context.output.result(&document, |out| {
        for it in &document.packages {
            writeln!(out, "{}: {} {}", it.package, it.method, it.url)?;
            for (name, value) in it.form.as_object().into_iter().flatten() {
                let value = value
                    .as_str()
                    .map_or_else(|| value.to_string(), str::to_owned);
                writeln!(out, "  {name}: {value}")?;
            }
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

/// The values of the package in its first `copr_build` job, else its own.
fn of_job<'c>(config: &'c SourceConfig, key: &str) -> &'c Effective {
    let jobs = config.jobs.iter().filter(|it| it.kind == "copr_build");
    let found = jobs
        .flat_map(|it| it.packages.iter())
        .find(|(it, _)| it == key);
    found.map_or_else(
        || {
            config
                .package(key)
                .expect("the key was selected from these")
        },
        |(_, values)| values,
    )
}

fn url(values: &Effective) -> String {
    let service = values
        .value("build_service")
        .get("url")
        .and_then(Json::as_str);
    let service = service.unwrap_or_default().trim_end_matches('/');
    format!("{service}/api_3/build/create/upload")
}

/// The form of Copr's API v3.
fn form(args: &Args, values: &Effective, branch: &str) -> Json {
    let own_project = || {
        let name = values.upstream_name();
        format!("packit-cli-{name}-{branch}")
    };
    let project = args
        .project
        .clone()
        .or_else(|| values.text("project").map(str::to_owned));
    let targets: Vec<String> = if args.targets.is_empty() {
        values.targets().into_iter().map(str::to_owned).collect()
    } else {
        args.targets.clone()
    };
    let mut form = Map::new();
    let mut put = |name: &str, value: Json| {
        form.insert(name.to_owned(), value);
    };
    if let Some(owner) = args.owner.as_deref().or_else(|| values.text("owner")) {
        put("ownername", json!(owner));
    }
    put("projectname", json!(project.unwrap_or_else(own_project)));
    put("chroots", json!(targets));
    put("enable_net", json!(values.is_true("enable_net")));
    put("timeout", values.value("timeout").clone());
    put("bootstrap", values.value("bootstrap").clone());
    put(
        "additional_packages",
        json!(values.texts("additional_packages")),
    );
    put("additional_repos", json!(values.texts("additional_repos")));
    put("module_hotfixes", json!(values.is_true("module_hotfixes")));
    put(
        "pkgs",
        json!(format!("@{}-*.src.rpm", values.downstream_name())),
    );
    Json::Object(form)
}
