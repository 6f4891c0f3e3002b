//! Forges over HTTP: the requests of `provisioning_sources::forge`, sent.

use provisioning_sources::forge::{Change, ChangeText, Check, Forge, Request};
use serde_json::Value as Json;
use tokio::runtime::Handle;
use tokio::task::block_in_place;

use crate::context::Context;
use crate::credentials::Secret;
use crate::failure::{Exit, Failure, Outcome};
use crate::registry::writing_client;
use crate::settings::RegistryLocation;

/// The variable that has the token for forges.
pub(crate) const TOKEN_VARIABLE: &str = "PROVISIONING_FORGE_TOKEN";

/// Longest time for one request.
const REQUEST_TIMEOUT: std::time::Duration = std::time::Duration::from_mins(1);

/// A project of a forge that can be asked.
pub(crate) struct ForgeClient {
    forge: Forge,
    client: reqwest::Client,
    token: Option<Secret>,
}

impl ForgeClient {
    /// A client for this project, with the token that the environment has.
    pub(crate) fn new(forge: Forge, context: &Context) -> Outcome<Self> {
        let location = RegistryLocation::parse(&forge.url, &context.env).map_err(|problem| {
            Failure::usage(format!("`forge.url` is `{}`: {problem}", forge.url))
        })?;
        let token = context.env.variable(TOKEN_VARIABLE).map(Secret::parse);
        Ok(Self {
            client: writing_client(&location, context.settings.ca_file.as_deref())?,
            token: token.transpose()?,
            forge,
        })
    }

    /// The open change of a branch, opened or brought to what it is to say.
    pub(crate) fn put(&self, text: &ChangeText<'_>) -> Outcome<Change> {
        let there = self.send(&self.forge.find(text.branch, text.target))?;
        let answer = match self.forge.found(&there, text.branch, text.target) {
            Some(change) => self.send(&self.forge.edit(change.number, text))?,
            None => self.send(&self.forge.open(text))?,
        };
        self.forge.change(&answer).ok_or_else(|| {
            let message = format!("`{}` answered with no change", self.forge.url);
            Failure::new("forge-answer", message).with_cause(answer.to_string())
        })
    }

    /// The checks of a commit.
    pub(crate) fn checks(&self, commit: &str) -> Outcome<Vec<Check>> {
        let mut checks = Vec::new();
        for request in self.forge.checks(commit) {
            checks.extend(self.forge.checked(&self.send(&request)?));
        }
        Ok(checks)
    }

    /// Writes the one comment with this mark.
    pub(crate) fn comment(&self, number: u64, mark: &str, text: &str) -> Outcome<()> {
        let there = self.send(&self.forge.comments(number))?;
        let request = self.forge.comment(number, &there, mark, text);
        self.send(&request).map(|_| ())
    }

    fn send(&self, request: &Request) -> Outcome<Json> {
        let method = reqwest::Method::from_bytes(request.method.as_bytes())
            .expect("the methods are written in this project");
        let mut builder = self
            .client
            .request(method, &request.url)
            .timeout(REQUEST_TIMEOUT)
            .header("Accept", "application/json");
        if let Some(token) = &self.token {
            let (name, value) = self.forge.token_header(token.expose());
            builder = builder.header(name, value);
        }
        if let Some(body) = &request.body {
            builder = builder.json(body);
        }
        let unreachable = |problem: reqwest::Error| {
            let message = format!("cannot reach the forge `{}`", self.forge.url);
            let failure = Failure::new("forge-unreachable", message).with_chain(&problem);
            failure.with_exit(Exit::Unreachable)
        };
        let (status, text) = block_in_place(|| {
            Handle::current().block_on(async {
                let answer = builder.send().await?;
                let status = answer.status();
                Ok((status, answer.text().await?))
            })
        })
        .map_err(unreachable)?;
        if !status.is_success() {
            return Err(self.refused(request, status.as_u16(), &text));
        }
        serde_json::from_str(&text).map_err(|problem| {
            let message = format!("`{}` answered no JSON", request.url);
            Failure::new("forge-answer", message).with_cause(problem.to_string())
        })
    }

    fn refused(&self, request: &Request, status: u16, text: &str) -> Failure {
        let message = format!(
            "the forge answered {status} to {} {}",
            request.method, request.url
        );
        let said: String = text.chars().take(500).collect();
        let failure = Failure::new("forge-refused", message).with_cause(said);
        match (status, &self.token) {
            (401 | 403 | 404, None) => {
                failure.with_hint(format!("set `{TOKEN_VARIABLE}` to a token of the forge"))
            }
            (401 | 403 | 404, Some(_)) => failure.with_hint(format!(
                "the token in `{TOKEN_VARIABLE}` may not do that in `{}`",
                self.forge.project
            )),
            _ => failure,
        }
    }
}
