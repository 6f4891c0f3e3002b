//! `provisioning owner`: who has which role in a package, and which CI may publish it.

use std::collections::BTreeMap;

use clap::Subcommand;
use provisioning_package::PackageName;
use provisioning_registry_api::identity::{
    Holder, InvitationAnswer, InvitationList, Owners, PackageRole,
};
use provisioning_registry_api::trusted::{NewTrustedPublisher, TrustedPublisherList};

use crate::context::Context;
use crate::failure::{Exit, Outcome};
use crate::write_api::WriteClient;

#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// List who has which role in a package, and who is invited
    List {
        /// The package
        name: String,
    },
    /// Give a user or team a role; a user who has none yet is invited
    Add {
        /// The package
        name: String,
        /// A user, or `team:NAME`
        holder: Holder,
        /// `reader`, `publisher`, `maintainer` or `owner`
        #[arg(long, default_value = "owner")]
        role: PackageRole,
    },
    /// Take a role or an invitation away
    Remove {
        /// The package
        name: String,
        /// A user, or `team:NAME`
        holder: Holder,
    },
    /// Give up your own role
    Leave {
        /// The package
        name: String,
    },
    /// List the invitations that wait for your answer
    Invitations,
    /// Accept an invitation
    Accept {
        /// The invitation, as `owner invitations` shows it
        id: String,
    },
    /// Decline an invitation
    Decline {
        /// The invitation, as `owner invitations` shows it
        id: String,
    },
    /// Let a CI job publish a package without a stored token
    Trust(TrustArgs),
    /// List the CI jobs that may publish a package
    Trusted {
        /// The package
        name: String,
    },
    /// Take a CI job's right to publish away
    Distrust {
        /// The package
        name: String,
        /// The publisher, as `owner trusted` shows it
        id: String,
    },
}

/// Which job.
#[derive(Debug, clap::Args)]
pub(crate) struct TrustArgs {
    /// The package; one that does not exist yet waits for its first release
    name: String,
    /// The issuer of the job's tokens, as the registry calls it: `github`, `gitlab`
    #[arg(long)]
    issuer: String,
    /// The repository: `owner/name`
    #[arg(long)]
    repository: Option<String>,
    /// The file that defines the job: `release.yml`
    #[arg(long)]
    workflow: Option<String>,
    /// The environment that the job runs in
    #[arg(long)]
    environment: Option<String>,
    /// Another claim that the token must make: `ref=refs/heads/main`
    #[arg(long = "claim", value_name = "NAME=VALUE", value_parser = claim)]
    claims: Vec<(String, String)>,
    /// The package does not exist yet: its first release will make it yours
    #[arg(long)]
    first: bool,
}

fn claim(text: &str) -> Result<(String, String), String> {
    let pair = text.split_once('=');
    let (name, value) = pair.ok_or_else(|| format!("`{text}` is not NAME=VALUE"))?;
    Ok((name.to_owned(), value.to_owned()))
}

/// Runs it.
pub(crate) async fn run(action: &Action, context: &Context) -> Outcome<Exit> {
    match action {
        Action::List { name } => {
            let name = PackageName::from_user(name)?;
            let api = WriteClient::open_anonymous(context).await?;
            show_owners(&api.owners(&name).await?, context)
        }
        Action::Add { name, holder, role } => {
            let name = PackageName::from_user(name)?;
            let api = WriteClient::open(context).await?;
            show_owners(&api.give_role(&name, holder, *role).await?, context)
        }
        Action::Remove { name, holder } => {
            let name = PackageName::from_user(name)?;
            let api = WriteClient::open(context).await?;
            show_owners(&api.remove_owner(&name, holder).await?, context)
        }
        Action::Leave { name } => {
            let name = PackageName::from_user(name)?;
            let api = WriteClient::open(context).await?;
            show_owners(&api.leave_package(&name).await?, context)
        }
        Action::Invitations => {
            let api = WriteClient::open(context).await?;
            show_invitations(&api.invitations().await?, context)
        }
        Action::Accept { id } => answer(id, InvitationAnswer::Accept, context).await,
        Action::Decline { id } => answer(id, InvitationAnswer::Decline, context).await,
        Action::Trust(args) => trust(args, context).await,
        Action::Trusted { name } => {
            let name = PackageName::from_user(name)?;
            let api = WriteClient::open(context).await?;
            show_trusted(&api.trusted(&name).await?, context)
        }
        Action::Distrust { name, id } => {
            let name = PackageName::from_user(name)?;
            let api = WriteClient::open(context).await?;
            show_trusted(&api.distrust(&name, id).await?, context)
        }
    }
}

async fn answer(id: &str, said: InvitationAnswer, context: &Context) -> Outcome<Exit> {
    let api = WriteClient::open(context).await?;
    show_invitations(&api.answer_invitation(id, said).await?, context)
}

async fn trust(args: &TrustArgs, context: &Context) -> Outcome<Exit> {
    let name = PackageName::from_user(&args.name)?;
    let named = [
        ("repository", &args.repository),
        ("workflow", &args.workflow),
        ("environment", &args.environment),
    ];
    let mut claims: BTreeMap<String, String> = args.claims.iter().cloned().collect();
    for (key, value) in named {
        if let Some(value) = value {
            claims.insert(key.to_owned(), value.clone());
        }
    }
    let new = NewTrustedPublisher {
        name: Some(name.clone()),
        issuer: args.issuer.clone(),
        claims,
    };
    let api = WriteClient::open(context).await?;
    let made = api.trust(&name, &new, args.first).await?;
    let list = TrustedPublisherList {
        publishers: vec![made],
    };
    show_trusted(&list, context)
}

fn show_owners(owners: &Owners, context: &Context) -> Outcome<Exit> {
    context.output.result(owners, |out| {
        if owners.owners.is_empty() && owners.invited.is_empty() {
            return writeln!(out, "nobody has a role in {}", owners.name);
        }
        for it in &owners.owners {
            writeln!(out, "{}  {}", it.holder, it.role)?;
        }
        for it in &owners.invited {
            writeln!(out, "{}  {} (invited)", it.holder, it.role)?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

fn show_invitations(list: &InvitationList, context: &Context) -> Outcome<Exit> {
    context.output.result(list, |out| {
        if list.invitations.is_empty() {
            return writeln!(out, "no invitation waits for your answer");
        }
        for it in &list.invitations {
            writeln!(
                out,
                "{}  {} of {}, from {}, until {}",
                it.id, it.role, it.subject, it.invited_by, it.expires_at
            )?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}

fn show_trusted(list: &TrustedPublisherList, context: &Context) -> Outcome<Exit> {
    context.output.result(list, |out| {
        if list.publishers.is_empty() {
            return writeln!(out, "no CI job may publish it");
        }
        for it in &list.publishers {
            let claims: Vec<String> = it
                .claims
                .iter()
                .map(|(key, value)| format!("{key}={value}"))
                .collect();
            let waits = if it.pending {
                " (waits for the first release)"
            } else {
                ""
            };
            writeln!(out, "{}  {}  {}{waits}", it.id, it.issuer, claims.join(" "))?;
        }
        Ok(())
    })?;
    Ok(Exit::Done)
}
