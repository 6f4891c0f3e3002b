//! Answers that were worked out before: the same question about the same state of the
//! registry has the same answer, so an install that changes nothing need not read the index.
//!
//! The state of the registry is asked for and verified every time; only what follows from it
//! is remembered, and only for an hour, since an index entry's signature may end meanwhile.
//! An answer names digests that will be believed, so it is kept with the trusted state,
//! never in the cache.

use std::fs;
use std::path::{Path, PathBuf};

use jiff::{SignedDuration, Timestamp};
use provisioning_installers::{Choice, Generation, InstalledPackage, Linked, NewState, Requests};
use provisioning_package::{Digest, Spec};
use serde::{Deserialize, Serialize};

use super::solving::SolveOptions;
use crate::context::Context;
use crate::durable;

/// How long an answer holds.
const ANSWER_LIFE: SignedDuration = SignedDuration::from_hours(1);
/// Largest file that is read.
const ANSWER_BYTES_MAX: u64 = 16 * 1024 * 1024;
/// The folder of answers in a registry's trusted state.
const FOLDER: &str = "answers";

/// Everything that an answer depends on.
#[derive(Serialize)]
struct Facts<'a> {
    client: &'a str,
    /// The trusted root and the number of the snapshot that it vouches for.
    registry: (Digest, u64),
    requests: &'a Requests,
    installed: &'a [InstalledPackage],
    linked: &'a [Linked],
    specs: Vec<String>,
    leave_bundle: bool,
    options: String,
}

/// A question, and where its answer is kept.
pub(crate) struct Question {
    digest: Digest,
    place: PathBuf,
    now: Timestamp,
}

/// An answer on disk.
#[derive(Serialize, Deserialize)]
struct Kept {
    question: Digest,
    found: Timestamp,
    packages: Vec<Choice>,
    requests: Requests,
    warnings: Vec<String>,
}

impl Question {
    /// The question what `specs` lead to; `None` where the answer depends on more than the
    /// registry's state, such as the time or what is in the cache.
    pub(crate) fn of(
        context: &Context,
        state: &Path,
        registry: (Digest, u64),
        current: Option<&Generation>,
        (specs, leave_bundle, options): (&[Spec], bool, &SolveOptions),
    ) -> Option<Self> {
        if context.settings.min_age.is_some() || context.settings.offline {
            return None;
        }
        let nothing = Requests::default();
        let facts = Facts {
            client: env!("CARGO_PKG_VERSION"),
            registry,
            requests: current.map_or(&nothing, |it| &it.requests),
            installed: current.map_or(&[], |it| &it.packages),
            linked: current.map_or(&[], |it| &it.linked),
            specs: specs.iter().map(ToString::to_string).collect(),
            leave_bundle,
            options: format!("{options:?}"),
        };
        let digest = Digest::of(&serde_json::to_vec(&facts).ok()?);
        // The first two digits make at most 256 files; the whole digest stands inside.
        let place = state.join(FOLDER).join(&digest.hex()[..2]);
        let now = context.now();
        Some(Self { digest, place, now })
    }

    /// The answer, where it is known.
    pub(crate) fn answer(&self, reason: String) -> Option<NewState> {
        let facts = fs::symlink_metadata(&self.place).ok()?;
        if !facts.is_file() || facts.len() > ANSWER_BYTES_MAX {
            return None;
        }
        let kept: Kept = serde_json::from_slice(&fs::read(&self.place).ok()?).ok()?;
        let age = self.now.duration_since(kept.found);
        let holds =
            kept.question == self.digest && age >= SignedDuration::ZERO && age <= ANSWER_LIFE;
        holds.then_some(NewState {
            packages: kept.packages,
            requests: kept.requests,
            reason,
            warnings: kept.warnings,
        })
    }

    /// Keeps the answer. One that cannot be kept is found again.
    pub(crate) fn keep(&self, answer: &NewState) {
        let kept = Kept {
            question: self.digest,
            found: self.now,
            packages: answer.packages.clone(),
            requests: answer.requests.clone(),
            warnings: answer.warnings.clone(),
        };
        if let (Ok(bytes), Some(folder)) = (serde_json::to_vec(&kept), self.place.parent()) {
            let _unkept = fs::create_dir_all(folder)
                .and_then(|()| durable::replace_unsynced(&self.place, &bytes));
        }
    }
}
