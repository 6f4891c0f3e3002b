//! The write side of a registry: sessions, yanks, the matrix, bundles; and search.
//!
//! Every request may be sent again: the registry answers a repeated one as it answered the
//! first. The token goes to the registry's own origin and nowhere else.

use std::time::Duration;

use provisioning_package::{BundleName, Digest, PackageName, Version};
use provisioning_registry_api::command::{
    BundleMoved, BundlePublished, MatrixPushed, PromoteBundle, PublishBundle, PushMatrix,
    SearchResults, WithdrawBundle, Yank, YankAnswer,
};
use provisioning_registry_api::evidence::{AddTester, EvidenceAccepted, SignedEvidence, Testers};
use provisioning_registry_api::problem::Problem;
use provisioning_registry_api::session::{OpenSession, SessionStatus};
use provisioning_registry_api::trust::{
    AddSignature, MakeOnlineKey, OnlineKeyMade, PutRoles, ReleaseTask, RolesPut, SignatureAdded,
    TrustStatus,
};
use provisioning_registry_api::update::{CommentUpdate, CreateUpdate, UpdateList, UpdateStatus};
use reqwest::{Client, Method, RequestBuilder, Response, StatusCode};
use serde::Serialize;
use serde::de::DeserializeOwned;
use url::Url;

use crate::context::Context;
use crate::credentials::Secret;
use crate::failure::{Exit, Failure, Outcome};
use crate::registry::{Source, discover, writing_client};
use crate::settings::RegistryLocation;

mod people;
mod proof;
mod upload;

pub(crate) use proof::Trusted;
pub(crate) use upload::Upload;

/// How long an answer may take. Checking and signing a large session is slow.
const ANSWER_TIMEOUT: Duration = Duration::from_mins(10);
/// How long to wait before each further try.
const RETRY_DELAYS: [Duration; 3] = [
    Duration::from_millis(250),
    Duration::from_secs(1),
    Duration::from_secs(3),
];
/// Longest answer that is read.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The write side of one registry.
#[derive(Debug, Clone)]
pub(crate) struct WriteClient {
    client: Client,
    api: Url,
    token: Option<Secret>,
    location: RegistryLocation,
}

impl WriteClient {
    /// The write side, for commands that need a token; without one it says how to get one.
    pub(crate) async fn open(context: &Context) -> Outcome<Self> {
        let location = context.settings.registry()?;
        let token = context.token(location)?.ok_or_else(|| no_token(location))?;
        if location.is_cleartext() {
            context.output.warning(&format!(
                "the token is sent to `{location}` in the clear: use `https://`"
            ));
        }
        Self::connect(context, Some(token)).await
    }

    /// The write side, for questions that anyone may ask.
    pub(crate) async fn open_anonymous(context: &Context) -> Outcome<Self> {
        Self::connect(context, None).await
    }

    async fn connect(context: &Context, token: Option<Secret>) -> Outcome<Self> {
        let location = context.settings.registry()?.clone();
        let state = context.settings.trust_state(&location)?;
        if context.settings.offline || provisioning_trust::is_imported(&state) {
            return Err(Failure::new("offline", "this needs the registry")
                .with_exit(Exit::Unreachable)
                .with_hint("run the command without `--offline`"));
        }
        let discovery = discover(&Source::of_context(&location, context)?, &location).await?;
        let token = match token {
            None if discovery.auth_required => context.token(&location)?,
            other => other,
        };
        // A folder cannot be written to, whatever its discovery document was copied from.
        let api = discovery.api.filter(|_| location.folder().is_none());
        let api = api.ok_or_else(|| {
            Failure::new(
                "read-only-registry",
                format!("`{location}` can only be read: it is a copy without a write side"),
            )
            .with_hint("name the registry itself with `--registry URL`")
        })?;
        let api = location
            .url()
            .join(&api)
            .ok()
            .filter(|it| it.origin() == location.url().origin() && it.path().ends_with('/'))
            .ok_or_else(|| {
                // The discovery document is not signed: it must not send tokens elsewhere.
                Failure::new(
                    "foreign-api",
                    format!("`{location}` names a write side on another server: `{api}`"),
                )
            })?;
        Ok(Self {
            client: writing_client(&location, context.settings.ca_file.as_deref())?,
            api,
            token,
            location,
        })
    }

    /// Opens a publish session, or finds the one that an earlier, broken-off publish of the
    /// same versions left.
    pub(crate) async fn open_session(&self, session: &OpenSession) -> Outcome<SessionStatus> {
        self.call(Method::POST, &["sessions"], Some(session)).await
    }

    /// Makes everything in a session visible, or nothing.
    pub(crate) async fn finalize(&self, session: &str) -> Outcome<SessionStatus> {
        self.call(
            Method::POST,
            &["sessions", session, "finalize"],
            None::<&()>,
        )
        .await
    }

    /// Gives a session up.
    pub(crate) async fn abandon_session(&self, session: &str) -> Outcome<SessionStatus> {
        self.call(Method::DELETE, &["sessions", session], None::<&()>)
            .await
    }

    /// Where a session stands.
    pub(crate) async fn session(&self, session: &str) -> Outcome<SessionStatus> {
        self.call(Method::GET, &["sessions", session], None::<&()>)
            .await
    }

    /// Hides a version from new solutions; the registry's answer.
    pub(crate) async fn yank(
        &self,
        name: &PackageName,
        version: &Version,
        yank: &Yank,
    ) -> Outcome<YankAnswer> {
        let version = version.to_string();
        let path = yank_path(name, &version);
        self.call(Method::PUT, &path, Some(yank)).await
    }

    /// Lets a version be chosen again; the registry's answer.
    pub(crate) async fn unyank(
        &self,
        name: &PackageName,
        version: &Version,
    ) -> Outcome<YankAnswer> {
        let version = version.to_string();
        let path = yank_path(name, &version);
        self.call(Method::DELETE, &path, None::<&()>).await
    }

    /// Puts a new matrix in the place of the one with digest `base`.
    pub(crate) async fn push_matrix(
        &self,
        base: Option<Digest>,
        text: String,
    ) -> Outcome<MatrixPushed> {
        self.call(Method::PUT, &["matrix"], Some(&PushMatrix { base, text }))
            .await
    }

    /// Publishes the next sequence of a bundle.
    pub(crate) async fn publish_bundle(
        &self,
        name: &BundleName,
        bundle: &PublishBundle,
    ) -> Outcome<BundlePublished> {
        self.call(Method::POST, &["bundles", name.as_str()], Some(bundle))
            .await
    }

    /// How the registry's roles stand, by its own word.
    pub(crate) async fn trust_status(&self) -> Outcome<TrustStatus> {
        self.call(Method::GET, &["trust"], None::<&()>).await
    }

    /// What waits for a `release` signature.
    pub(crate) async fn release_task(&self) -> Outcome<ReleaseTask> {
        self.call(Method::GET, &["trust", "release"], None::<&()>)
            .await
    }

    /// Adds a signature to the release that waits.
    pub(crate) async fn add_signature(&self, signature: &AddSignature) -> Outcome<SignatureAdded> {
        let path = ["trust", "release", "signatures"];
        self.call(Method::POST, &path, Some(signature)).await
    }

    /// Puts signed changes of keys in force.
    pub(crate) async fn put_roles(&self, roles: &PutRoles) -> Outcome<RolesPut> {
        self.call(Method::POST, &["trust", "roles"], Some(roles))
            .await
    }

    /// Has the registry make a key for a role that it signs itself.
    pub(crate) async fn make_online_key(&self, wanted: &MakeOnlineKey) -> Outcome<OnlineKeyMade> {
        self.call(Method::POST, &["trust", "online-keys"], Some(wanted))
            .await
    }

    /// Moves a published bundle through its gates.
    pub(crate) async fn promote_bundle(
        &self,
        name: &BundleName,
        asked: &PromoteBundle,
    ) -> Outcome<BundleMoved> {
        let path = ["bundles", name.as_str(), "promote"];
        self.call(Method::POST, &path, Some(asked)).await
    }

    /// Takes a published bundle back.
    pub(crate) async fn withdraw_bundle(
        &self,
        name: &BundleName,
        asked: &WithdrawBundle,
    ) -> Outcome<BundleMoved> {
        let path = ["bundles", name.as_str(), "withdraw"];
        self.call(Method::POST, &path, Some(asked)).await
    }

    /// Sends the evidence of a test.
    pub(crate) async fn submit_evidence(&self, sent: &SignedEvidence) -> Outcome<EvidenceAccepted> {
        self.call(Method::POST, &["evidence"], Some(sent)).await
    }

    /// Every update.
    pub(crate) async fn updates(&self) -> Outcome<UpdateList> {
        self.call(Method::GET, &["updates"], None::<&()>).await
    }

    /// One update.
    pub(crate) async fn update(&self, id: u64) -> Outcome<UpdateStatus> {
        let path = ["updates", &id.to_string()];
        self.call(Method::GET, &path, None::<&()>).await
    }

    /// Collects what waits in testing.
    pub(crate) async fn create_update(&self, asked: &CreateUpdate) -> Outcome<UpdateStatus> {
        self.call(Method::POST, &["updates"], Some(asked)).await
    }

    /// Says whether an update works.
    pub(crate) async fn comment_update(
        &self,
        id: u64,
        asked: &CommentUpdate,
    ) -> Outcome<UpdateStatus> {
        let path = ["updates", &id.to_string(), "comments"];
        self.call(Method::POST, &path, Some(asked)).await
    }

    /// Moves every bundle of an update to stable, or none.
    pub(crate) async fn push_update(&self, id: u64) -> Outcome<UpdateStatus> {
        let path = ["updates", &id.to_string(), "push"];
        self.call(Method::POST, &path, None::<&()>).await
    }

    /// Whose evidence counts.
    pub(crate) async fn testers(&self) -> Outcome<Testers> {
        self.call(Method::GET, &["testers"], None::<&()>).await
    }

    /// Makes somebody's evidence count.
    pub(crate) async fn add_tester(&self, name: &str, tester: &AddTester) -> Outcome<Testers> {
        self.call(Method::PUT, &["testers", name], Some(tester))
            .await
    }

    /// Makes somebody's evidence count no more.
    pub(crate) async fn remove_tester(&self, name: &str) -> Outcome<Testers> {
        self.call(Method::DELETE, &["testers", name], None::<&()>)
            .await
    }

    /// Packages whose name, description or keywords have to do with a text, best first.
    pub(crate) async fn search(&self, query: &[(&str, String)]) -> Outcome<SearchResults> {
        let mut url = self.url(&["search"]);
        url.query_pairs_mut().extend_pairs(query);
        self.send(|| self.request(Method::GET, url.clone())).await
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &[&str],
        body: Option<&impl Serialize>,
    ) -> Outcome<T> {
        let url = self.url(path);
        self.send(|| {
            let request = self.request(method.clone(), url.clone());
            match body {
                Some(body) => request.json(body),
                None => request,
            }
        })
        .await
    }

    /// Sends a request until it is answered, a few times at most.
    async fn send<T: DeserializeOwned>(&self, request: impl Fn() -> RequestBuilder) -> Outcome<T> {
        let mut delays = RETRY_DELAYS.iter();
        loop {
            let failure = match request().timeout(ANSWER_TIMEOUT).send().await {
                Ok(response) => match self.read(response).await {
                    Err(failure) if failure.exit() == Exit::Unreachable => failure,
                    settled => return settled,
                },
                Err(problem) => self.unreachable(&problem),
            };
            let Some(delay) = delays.next() else {
                return Err(failure);
            };
            tracing::debug!("trying again: {failure}");
            tokio::time::sleep(*delay).await;
        }
    }

    /// Reads an answer: the document, or the problem that it reports.
    async fn read<T: DeserializeOwned>(&self, mut response: Response) -> Outcome<T> {
        let status = response.status();
        let mut bytes = Vec::new();
        while let Some(chunk) = response
            .chunk()
            .await
            .map_err(|problem| self.unreachable(&problem))?
        {
            if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
                return Err(Failure::new(
                    "answer-too-long",
                    "the registry's answer has no end",
                ));
            }
            bytes.extend_from_slice(&chunk);
        }
        if status.is_success() {
            let body: &[u8] = if bytes.is_empty() { b"null" } else { &bytes };
            return serde_json::from_slice(body).map_err(|problem| {
                Failure::new(
                    "unreadable-answer",
                    "cannot understand the registry's answer",
                )
                .with_cause(problem.to_string())
                .with_hint("fetch a newer client with the registry's `install.sh`")
            });
        }
        Err(self.refused(status, &bytes))
    }

    fn refused(&self, status: StatusCode, bytes: &[u8]) -> Failure {
        let failure = if let Ok(problem) = serde_json::from_slice::<Problem>(bytes) {
            Failure::from(problem)
        } else {
            let exit = match status.as_u16() {
                502..=504 => Exit::Unreachable,
                _ => Exit::Failed,
            };
            Failure::new(
                format!("http-{}", status.as_u16()),
                format!("the registry at `{}` answered {status}", self.location),
            )
            .with_exit(exit)
        };
        match status {
            StatusCode::UNAUTHORIZED => {
                let place =
                    "the token is taken from `PROVISIONING_TOKEN`, else from `provisioning login`";
                failure.with_hint(place)
            }
            _ => failure,
        }
    }

    fn unreachable(&self, problem: &reqwest::Error) -> Failure {
        let failure = Failure::new(
            "registry-unreachable",
            format!("cannot reach the registry at `{}`", self.location),
        )
        .with_chain(problem)
        .with_exit(Exit::Unreachable)
        .with_hint("run the same command again: it goes on where it stopped");
        if problem.is_connect() || problem.is_builder() {
            return failure;
        }
        failure.with_changed(
            "what the registry did before the connection broke is not known; asking again does no harm",
        )
    }

    fn request(&self, method: Method, url: Url) -> RequestBuilder {
        let request = self.client.request(method, url);
        match &self.token {
            Some(token) => request.bearer_auth(token.expose()),
            None => request,
        }
    }

    /// The address of a route; every component is escaped.
    fn url(&self, path: &[&str]) -> Url {
        let mut url = self.api.clone();
        url.path_segments_mut()
            .expect("an http address has path segments")
            .pop_if_empty()
            .extend(path);
        url
    }
}

fn yank_path<'a>(name: &'a PackageName, version: &'a str) -> [&'a str; 6] {
    [
        "packages",
        name.kind().as_str(),
        name.as_str(),
        "versions",
        version,
        "yank",
    ]
}

fn no_token(location: &RegistryLocation) -> Failure {
    Failure::new("no-token", format!("writing to `{location}` needs a token"))
        .with_hint("`provisioning login` stores one, `PROVISIONING_TOKEN` gives one for one run")
        .with_hint(
            "the registry's operator makes them: `provisioning-registry token create --name NAME \
             --scope publish-new --scope publish`",
        )
}
