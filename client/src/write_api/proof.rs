//! Trusted publishing: in a CI job that can prove who it is, that proof is exchanged for a
//! token of some minutes, and nobody keeps a secret.

use provisioning_registry_api::trusted::{Exchange, Exchanged, IssuerKind, IssuerList};
use reqwest::Method;
use serde::Deserialize;
use url::Url;

use super::WriteClient;
use crate::context::Context;
use crate::credentials::Secret;
use crate::failure::{Exit, Failure, Outcome};

/// Where GitHub's jobs ask for a token, and what they ask with.
const GITHUB_URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const GITHUB_TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";
/// Where GitLab's `id_tokens`, and any other job, put theirs.
const ID_TOKEN: &str = "PROVISIONING_ID_TOKEN";

#[derive(Deserialize)]
struct Given {
    value: String,
}

/// Whether the environment offers a proof.
pub(crate) fn is_offered(context: &Context) -> bool {
    let has = |name: &str| context.env.variable(name).is_some();
    has(ID_TOKEN) || (has(GITHUB_URL) && has(GITHUB_TOKEN))
}

impl WriteClient {
    /// The write side for a publish: with the token that is there, else with a proof that
    /// the CI job gives.
    pub(crate) async fn open_for_publish(context: &Context, how: Trusted) -> Outcome<Self> {
        let location = context.settings.registry()?;
        let has_token = context.token(location)?.is_some();
        let is_proof = match how {
            Trusted::Never => false,
            Trusted::Always => true,
            Trusted::Auto => !has_token && is_offered(context),
        };
        if !is_proof {
            return Self::open(context).await;
        }
        if !is_offered(context) {
            return Err(
                Failure::new("no-proof", "this is no CI job that can prove who it is")
                    .with_hint("GitHub: give the job `permissions: id-token: write`")
                    .with_hint("GitLab: name the token `PROVISIONING_ID_TOKEN` in `id_tokens`"),
            );
        }
        let anonymous = Self::open_anonymous(context).await?;
        let proof = match context.env.variable(ID_TOKEN) {
            Some(token) => token.to_owned(),
            None => anonymous.ask_github(context).await?,
        };
        let body = Exchange {
            token: proof,
            bound: None,
        };
        let given: Exchanged = anonymous
            .call(Method::POST, &["oidc", "token"], Some(&body))
            .await?;
        tracing::debug!(scopes = ?given.scopes, "the job's proof was exchanged for a token");
        Ok(Self {
            token: Some(Secret::parse(&given.secret)?),
            ..anonymous
        })
    }

    /// Asks GitHub for a token that names this registry.
    async fn ask_github(&self, context: &Context) -> Outcome<String> {
        let known: IssuerList = self.call(Method::GET, &["issuers"], None::<&()>).await?;
        let issuer = known
            .issuers
            .iter()
            .find(|it| it.kind == IssuerKind::Github);
        let audience = issuer.map(|it| it.audience.clone()).ok_or_else(|| {
            Failure::new(
                "no-issuer",
                "this registry takes no tokens of GitHub's jobs",
            )
        })?;
        let variable = |name| context.env.variable(name).unwrap_or_default();
        let unusable = |why: String| {
            Failure::new("no-proof", "GitHub gives this job no token")
                .with_cause(why)
                .with_exit(Exit::Failed)
        };
        let mut url: Url = variable(GITHUB_URL)
            .parse()
            .map_err(|_| unusable(format!("`{GITHUB_URL}` is no address")))?;
        url.query_pairs_mut().append_pair("audience", &audience);
        let answer = self
            .client
            .get(url)
            .bearer_auth(variable(GITHUB_TOKEN))
            .send()
            .await
            .map_err(|problem| unusable(problem.without_url().to_string()))?;
        if !answer.status().is_success() {
            return Err(unusable(format!("it answered {}", answer.status())));
        }
        let given: Given = answer
            .json()
            .await
            .map_err(|problem| unusable(problem.without_url().to_string()))?;
        Ok(given.value)
    }
}

/// Whether a CI job's proof is used to publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Trusted {
    /// Where no token is there and the job offers one.
    #[default]
    Auto,
    /// Whatever token is there.
    Always,
    /// Not at all.
    Never,
}
