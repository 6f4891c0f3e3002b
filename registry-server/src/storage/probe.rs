//! What a bucket does with conditional writes. Nothing of ours rests on them: services are known
//! that ignore them, and others that refuse them. An operator should know which one this is.

use std::fmt;

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt as _, PutMode, PutOptions, UpdateVersion};

use super::{Storage, generic};

/// What became of a write whose condition does not hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// It was refused as it should be.
    Honoured,
    /// It was done nevertheless.
    Ignored,
    /// The service does not know such writes, also where the condition holds.
    Unknown,
}

/// What a bucket was seen to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Probed {
    /// `If-None-Match: *`.
    pub(crate) if_none_match: Condition,
    /// `If-Match` with an old `ETag`.
    pub(crate) if_match: Condition,
    /// Whether a listing shows an object as soon as it was put.
    pub(crate) lists_at_once: bool,
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Honoured => "honoured",
            Self::Ignored => "ignored",
            Self::Unknown => "not supported",
        })
    }
}

impl fmt::Display for Probed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listing = if self.lists_at_once {
            "at once"
        } else {
            "later"
        };
        write!(
            f,
            "If-None-Match is {}, If-Match is {}, a listing shows new objects {listing}; the \
             registry needs none of the three",
            self.if_none_match, self.if_match
        )
    }
}

impl Storage {
    /// Tries a bucket out with an object below `probe/` that is taken away again; `None` for a
    /// folder or memory. An error where the bucket cannot be written, or gives back other bytes.
    pub(crate) async fn probe(&self, name: &str) -> Result<Option<Probed>, object_store::Error> {
        if !self.is_bucket {
            return Ok(None);
        }
        let path = format!("probe/{name}");
        let outcome = self.try_out(&path).await;
        self.delete(&path).await?;
        outcome.map(Some)
    }

    async fn try_out(&self, path: &str) -> Result<Probed, object_store::Error> {
        let first = Bytes::from_static(b"first");
        self.put(path, first.clone()).await?;
        if self.read(path).await? != Some(first) {
            return Err(generic(std::io::Error::other(
                "the bucket gives back other bytes than were put",
            )));
        }
        let location = Path::parse(path)?;
        let old = self.objects.head(&location).await?.e_tag;
        let listed: Vec<_> = self.list("probe").try_collect().await?;
        self.put(path, "second").await?;
        let new = self.objects.head(&location).await?.e_tag;
        let update = |e_tag| {
            PutMode::Update(UpdateVersion {
                e_tag,
                version: None,
            })
        };
        Ok(Probed {
            if_none_match: self.condition(&location, PutMode::Create, None).await,
            if_match: self
                .condition(&location, update(old), Some(update(new)))
                .await,
            lists_at_once: listed.iter().any(|it| it.path == path),
        })
    }

    /// Writes with a condition that does not hold, then with one that does.
    async fn condition(&self, path: &Path, wrong: PutMode, right: Option<PutMode>) -> Condition {
        if self.put_if(path, wrong).await.is_ok() {
            return Condition::Ignored;
        }
        let right = if let Some(mode) = right {
            self.put_if(path, mode).await
        } else {
            // Nothing has this name.
            let free = Path::from(format!("{path}-free"));
            let put = self.put_if(&free, PutMode::Create).await;
            let _ = self.objects.delete(&free).await;
            put
        };
        if right.is_ok() {
            Condition::Honoured
        } else {
            Condition::Unknown
        }
    }

    async fn put_if(&self, path: &Path, mode: PutMode) -> Result<(), object_store::Error> {
        let options = PutOptions::from(mode);
        let payload = Bytes::from_static(b"conditional").into();
        self.objects.put_opts(path, payload, options).await?;
        Ok(())
    }
}
