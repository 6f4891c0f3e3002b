//! `provisioning trust`: what is believed of the registry, and who signs for it.

use clap::Subcommand;

use crate::context::Context;
use crate::failure::{Exit, Outcome};

mod change;
mod drill;
mod init;
mod key;
mod propose;
mod publish;
mod rotate;
mod show;
mod sign;
mod status;

/// What to do with the trust in the registry.
#[derive(Debug, Subcommand)]
pub(crate) enum Action {
    /// Show the fingerprint of the registry's root, and until when what was seen holds
    ///
    /// Compare the fingerprint with the one that the registry's operator gives you on
    /// another way.
    Show,
    /// Show every role: until when it holds, who signs it, and which keys ought to move
    Status,
    Init(init::Args),
    Sign(sign::Args),
    Propose(propose::Args),
    Rotate(rotate::Args),
    Publish(publish::Args),
    /// Make, show, protect, print and restore the keys that people sign with
    #[command(subcommand)]
    Key(key::Action),
    /// Rehearse with throw-away keys: replace each role's key, lose one, have some stolen
    ///
    /// Nothing leaves this machine, and no registry and no key of yours is touched.
    Drill,
}

impl Action {
    /// Whether it only asks.
    pub(crate) const fn is_question(&self) -> bool {
        match self {
            Self::Show | Self::Status | Self::Drill => true,
            Self::Key(action) => action.is_question(),
            Self::Init(_)
            | Self::Sign(_)
            | Self::Propose(_)
            | Self::Rotate(_)
            | Self::Publish(_) => false,
        }
    }
}

/// Runs it.
pub(crate) async fn run(action: &Action, context: &Context) -> Outcome<Exit> {
    match action {
        Action::Show => show::run(context).await?,
        Action::Status => status::run(context).await?,
        Action::Init(args) => init::run(args, context).await?,
        Action::Sign(args) => return sign::run(args, context).await,
        Action::Propose(args) => propose::run(args, context).await?,
        Action::Rotate(args) => rotate::run(args, context).await?,
        Action::Publish(args) => publish::run(args, context).await?,
        Action::Key(action) => key::run(action, context)?,
        Action::Drill => drill::run(context).await?,
    }
    Ok(Exit::Done)
}
