//! `provisioning-registry user`, `team`, `owner` and `settings`: work beside a running
//! server.

use std::io::Write as _;

use clap::{Args, Subcommand};
use provisioning_package::{Kind, PackageName};
use provisioning_registry_api::identity::{
    ChangeUser, Holder, NewUser, PackageRole, RegistryRole, TeamRole,
};

use super::token::{TokenArgs, print_new};
use super::{RegistryArgs, print_document, refused};
use crate::env::Environment;

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Adds a user
    Add {
        #[command(flatten)]
        registry: RegistryArgs,
        /// The user's name: small letters, digits and `-`
        name: String,
        /// What they may do in the whole registry [possible values: moderator,
        /// release-engineer, administrator]
        #[arg(long = "role", value_name = "ROLE", value_delimiter = ',')]
        roles: Vec<RegistryRole>,
    },
    /// Lists users
    List(ListArgs),
    /// Says anew what a user may do in the whole registry; without `--role`, nothing
    Roles {
        #[command(flatten)]
        registry: RegistryArgs,
        /// The user
        name: String,
        /// What they may do from now on
        #[arg(long = "role", value_name = "ROLE", value_delimiter = ',')]
        roles: Vec<RegistryRole>,
    },
    /// Locks a user out: their tokens are good for nothing
    Disable(UserArgs),
    /// Lets a user in again
    Enable(UserArgs),
    /// Makes a token for a user and prints it, alone, on stdout
    Token {
        #[command(flatten)]
        registry: RegistryArgs,
        /// The user
        name: String,
        #[command(flatten)]
        what: TokenArgs,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(super) registry: RegistryArgs,
    /// Print one JSON document
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct UserArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    /// The user
    name: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum TeamCommand {
    /// Adds a team
    Add {
        #[command(flatten)]
        registry: RegistryArgs,
        /// The team's name: small letters, digits and `-`
        name: String,
    },
    /// Lists teams, who belongs to them, and which kinds are theirs
    List(ListArgs),
    /// Puts a user into a team, or changes what they are in it
    Member {
        #[command(flatten)]
        registry: RegistryArgs,
        /// The team
        team: String,
        /// The user
        user: String,
        /// `member` or `maintainer`
        #[arg(long, default_value = "member")]
        role: TeamRole,
        /// Take them out instead
        #[arg(long, conflicts_with = "role")]
        remove: bool,
    },
    /// Gives core, platform, workspace or client to a team
    Namespace {
        #[command(flatten)]
        registry: RegistryArgs,
        /// The kind
        kind: Kind,
        /// The team; without one, the kind belongs to nobody but the operator
        team: Option<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct OwnerArgs {
    #[command(flatten)]
    registry: RegistryArgs,
    /// The package
    package: String,
    /// A user, or `team:NAME`
    holder: Holder,
    /// `reader`, `publisher`, `maintainer` or `owner`
    #[arg(long, default_value = "owner")]
    role: PackageRole,
}

#[derive(Debug, Subcommand)]
pub(crate) enum SettingsCommand {
    /// Shows every setting
    Show(ListArgs),
    /// Changes one
    Set {
        #[command(flatten)]
        registry: RegistryArgs,
        /// Its name
        name: String,
        /// Its new value
        value: String,
    },
}

impl UserCommand {
    pub(super) async fn run(self, environment: Environment) -> anyhow::Result<()> {
        match self {
            Self::Add {
                registry,
                name,
                roles,
            } => {
                let people = registry.open(&environment).await?;
                people
                    .add_user(&NewUser { name, roles })
                    .await
                    .map_err(refused)?;
                people.close().await;
                Ok(())
            }
            Self::List(args) => list_users(args, &environment).await,
            Self::Roles {
                registry,
                name,
                roles,
            } => {
                let change = ChangeUser {
                    roles: Some(roles),
                    disabled: None,
                };
                change_user(UserArgs { registry, name }, change, &environment).await
            }
            Self::Disable(args) => change_user(args, disabled(true), &environment).await,
            Self::Enable(args) => change_user(args, disabled(false), &environment).await,
            Self::Token {
                registry,
                name,
                what,
            } => {
                let people = registry.open(&environment).await?;
                let order = what.order(name.clone(), Some(name), &environment)?;
                print_new(&people, order).await?;
                people.close().await;
                Ok(())
            }
        }
    }
}

const fn disabled(disabled: bool) -> ChangeUser {
    ChangeUser {
        roles: None,
        disabled: Some(disabled),
    }
}

async fn change_user(
    args: UserArgs,
    change: ChangeUser,
    environment: &Environment,
) -> anyhow::Result<()> {
    let people = args.registry.open(environment).await?;
    let changed = people.change_user(&args.name, &change).await;
    people.close().await;
    changed.map_err(refused)?;
    Ok(())
}

async fn list_users(args: ListArgs, environment: &Environment) -> anyhow::Result<()> {
    let people = args.registry.open(environment).await?;
    let users = people.users().await;
    people.close().await;
    let users = users.map_err(refused)?;
    if args.json {
        return print_document(&serde_json::json!({"schema": 1, "users": users}));
    }
    let mut out = std::io::stdout().lock();
    for user in users {
        let roles: Vec<&str> = user.roles.iter().map(|it| it.as_str()).collect();
        let state = if user.disabled { "  disabled" } else { "" };
        writeln!(out, "{}  {}{state}", user.name, roles.join(","))?;
    }
    Ok(())
}

impl TeamCommand {
    pub(super) async fn run(self, environment: Environment) -> anyhow::Result<()> {
        match self {
            Self::Add { registry, name } => {
                let people = registry.open(&environment).await?;
                people.add_team(&name).await.map_err(refused)?;
                people.close().await;
            }
            Self::List(args) => return list_teams(args, &environment).await,
            Self::Member {
                registry,
                team,
                user,
                role,
                remove,
            } => {
                let people = registry.open(&environment).await?;
                let changed = if remove {
                    people.remove_member(&team, &user).await
                } else {
                    people.put_member(&team, &user, role).await.map(drop)
                };
                people.close().await;
                changed.map_err(refused)?;
            }
            Self::Namespace {
                registry,
                kind,
                team,
            } => {
                let people = registry.open(&environment).await?;
                let changed = people.set_namespace(kind, team.as_deref()).await;
                people.close().await;
                changed.map_err(refused)?;
            }
        }
        Ok(())
    }
}

async fn list_teams(args: ListArgs, environment: &Environment) -> anyhow::Result<()> {
    let people = args.registry.open(environment).await?;
    let teams = people.teams().await;
    people.close().await;
    let teams = teams.map_err(refused)?;
    if args.json {
        return print_document(&serde_json::json!({"schema": 1, "teams": teams}));
    }
    let mut out = std::io::stdout().lock();
    for team in teams {
        let kinds: Vec<&str> = team.namespaces.iter().map(|it| it.as_str()).collect();
        writeln!(out, "{}  {}", team.name, kinds.join(","))?;
        for member in team.members {
            writeln!(out, "    {}  {}", member.user, member.role)?;
        }
    }
    Ok(())
}

impl OwnerArgs {
    pub(super) async fn run(self, environment: Environment) -> anyhow::Result<()> {
        let package = PackageName::from_user(&self.package)?;
        let people = self.registry.open(&environment).await?;
        let given = people.give_role(&package, &self.holder, self.role).await;
        people.close().await;
        given.map_err(refused)?;
        Ok(())
    }
}

impl SettingsCommand {
    pub(super) async fn run(self, environment: Environment) -> anyhow::Result<()> {
        match self {
            Self::Show(args) => {
                let people = args.registry.open(&environment).await?;
                let settings = people.settings().await;
                people.close().await;
                let settings = settings.map_err(refused)?;
                if args.json {
                    let map: serde_json::Map<_, _> = settings
                        .into_iter()
                        .map(|(name, value)| (name.to_owned(), value.into()))
                        .collect();
                    return print_document(&serde_json::json!({"schema": 1, "settings": map}));
                }
                let mut out = std::io::stdout().lock();
                for (name, value) in settings {
                    writeln!(out, "{name} = {value}")?;
                }
                Ok(())
            }
            Self::Set {
                registry,
                name,
                value,
            } => {
                let people = registry.open(&environment).await?;
                let changed = people.set(&name, &value).await;
                people.close().await;
                changed.map_err(refused)?;
                Ok(())
            }
        }
    }
}
