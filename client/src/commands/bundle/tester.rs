//! `provisioning bundle tester`: whose evidence counts.

use std::path::PathBuf;

use clap::Subcommand;
use provisioning_registry_api::evidence::{AddTester, Testers};
use serde::Serialize;

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::output::Table;
use crate::trial::TesterKey;
use crate::write_api::WriteClient;

/// What to do with testers.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    Key(KeyArgs),
    Add(AddArgs),
    List(ListArgs),
    Remove(RemoveArgs),
}

/// Show your own public key, which evidence is signed with; it is made where there is none
#[derive(Debug, clap::Args)]
pub(crate) struct KeyArgs {
    /// The key's file [default: `PROVISIONING_TESTER_KEY`, else your own]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// Make somebody's evidence count
///
/// From the first tester on, bundles of this registry become `stable` through their gates
/// alone. Needs a token with the scope `admin`.
#[derive(Debug, clap::Args)]
pub(crate) struct AddArgs {
    /// What they are called
    name: String,
    /// Their public key: 64 hexadecimal digits, as `bundle tester key` prints it [default: yours]
    #[arg(long, value_name = "HEX", conflicts_with = "key")]
    public_key: Option<String>,
    /// The file of their key [default: `PROVISIONING_TESTER_KEY`, else your own]
    #[arg(long, value_name = "FILE")]
    key: Option<PathBuf>,
}

/// List whose evidence counts
#[derive(Debug, clap::Args)]
pub(crate) struct ListArgs {}

/// Make somebody's evidence count no more, also what was sent already
#[derive(Debug, clap::Args)]
pub(crate) struct RemoveArgs {
    /// What they are called
    name: String,
}

#[derive(Serialize)]
struct OwnKey {
    public_key: String,
    key_id: String,
    file: PathBuf,
}

/// Runs it.
pub(crate) async fn run(action: &Action, context: &Context) -> Outcome<Exit> {
    match action {
        Action::Key(args) => {
            let own = TesterKey::open(args.key.as_deref(), context)?;
            let public = own.key.verifying_key();
            let document = OwnKey {
                public_key: public.to_hex(),
                key_id: public.key_id().to_owned(),
                file: own.path,
            };
            context
                .output
                .result(&document, |out| writeln!(out, "{}", document.public_key))?;
        }
        Action::Add(args) => {
            let public_key = if let Some(hex) = &args.public_key {
                hex.clone()
            } else {
                let own = TesterKey::open(args.key.as_deref(), context)?;
                own.key.verifying_key().to_hex()
            };
            let api = WriteClient::open(context).await?;
            let testers = api
                .add_tester(&args.name, &AddTester { public_key })
                .await?;
            show(&testers, context)?;
        }
        Action::List(_) => {
            let api = WriteClient::open_anonymous(context).await?;
            show(&api.testers().await?, context)?;
        }
        Action::Remove(args) => {
            let api = WriteClient::open(context).await?;
            show(&api.remove_tester(&args.name).await?, context)?;
        }
    }
    Ok(Exit::Done)
}

fn show(testers: &Testers, context: &Context) -> Outcome<()> {
    context.output.result(testers, |out| {
        if testers.testers.is_empty() {
            return writeln!(
                out,
                "nobody's evidence counts: bundles are published in any state"
            );
        }
        let mut table = Table::new(["TESTER", "KEY", "SINCE", "UNTIL"]);
        for (name, it) in &testers.testers {
            let until = it.removed_at.map(|it| it.to_string());
            let key: String = it.key_id.chars().take(16).collect();
            table.row([
                name.clone(),
                format!("{key}…"),
                it.added_at.to_string(),
                until.unwrap_or_default(),
            ]);
        }
        table.write(out)
    })
}
