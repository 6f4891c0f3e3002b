//! Archives on their way into a prefix: from the cache, or from the registry as they arrive.

use std::collections::BTreeMap;
use std::sync::Arc;

use provisioning_installers::{Arrival, Choice, Plan, Prefix, Staging, missing};
use provisioning_package::{Chunks, Digest};

use crate::context::Context;
use crate::failure::Outcome;
use crate::planning::Registry;
use crate::registry::{ArchiveCache, Landed, Landing, WantedArchive};

/// Unpacks what lands.
struct Unpacking {
    staging: Arc<Staging>,
    choices: BTreeMap<Digest, Choice>,
}

impl Landing for Unpacking {
    fn land(&self, digest: &Digest, chunks: &mut dyn Chunks) -> Landed {
        let choice = &self.choices[digest];
        match self.staging.unpack(choice, chunks) {
            Ok(Arrival::Taken) => Landed::Right,
            Ok(Arrival::Wrong { found }) => Landed::Wrong { found },
            Err(problem) => Landed::Failed(problem.into()),
        }
    }
}

/// Unpacks what a plan needs and neither the store nor `earlier` has; `None` where that is
/// nothing. The registry is met only where the cache does not have all of it.
pub(super) async fn stage(
    plan: &Plan,
    prefix: &Prefix,
    earlier: Option<Arc<Staging>>,
    registry: &mut Registry,
    context: &Context,
) -> Outcome<Option<Arc<Staging>>> {
    let mut absent = missing(prefix, plan);
    absent.retain(|it| {
        !earlier
            .as_ref()
            .is_some_and(|staging| staging.has(&it.digest))
    });
    if absent.is_empty() || plan.restores.is_some() {
        return Ok(earlier);
    }
    let staging = match earlier {
        Some(staging) => staging,
        None => Arc::new(tokio::task::block_in_place(|| Staging::open(prefix))?),
    };
    let wanted: Vec<WantedArchive> = absent.iter().map(|it| wanted(it)).collect();
    let landing: Arc<dyn Landing> = Arc::new(Unpacking {
        staging: Arc::clone(&staging),
        choices: absent.iter().map(|it| (it.digest, (*it).clone())).collect(),
    });
    let cache = ArchiveCache::new(context.settings.cache()?);
    let others = cache.land_cached(&wanted, &landing).await?;
    if !others.is_empty() {
        let reader = registry.reader(context).await?;
        reader.land_archives(&others, &landing).await?;
    }
    Ok(Some(staging))
}

/// The archive of a choice.
pub(super) fn wanted(choice: &Choice) -> WantedArchive {
    WantedArchive {
        label: format!("{} {}", choice.name, choice.version),
        digest: choice.digest,
        size: choice.size,
    }
}
