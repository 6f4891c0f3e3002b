//! A job that must not be done by several servers at the same time.
//!
//! Ask [`Lease::is_mine`] again and again, more often than [`DEAD_AFTER`]: it says that this server
//! lives where it has the job, and takes it over where its holder seems dead. What the job does must
//! bear being done twice: a server that was stopped in the middle goes on after it was taken for dead.

use std::time::{Duration, Instant};

use crate::db::leases::LeaseRow;
use crate::db::{Db, DbError};

/// A holder that does not beat for this long, as the one that waits sees it, has lost the job.
pub(crate) const DEAD_AFTER: Duration = Duration::from_secs(15);

/// One job, as one server sees it.
#[derive(Debug)]
pub(crate) struct Lease {
    name: &'static str,
    server: String,
    /// The row as it was seen first, and when.
    watched: Option<(LeaseRow, Instant)>,
}

impl Lease {
    /// The job `name` for the server called `server`.
    pub(crate) const fn new(name: &'static str, server: String) -> Self {
        Self {
            name,
            server,
            watched: None,
        }
    }

    /// Whether this server does the job now.
    pub(crate) async fn is_mine(&mut self, db: &Db) -> Result<bool, DbError> {
        if db.beat_lease(self.name, &self.server).await? {
            return Ok(true);
        }
        let Some(row) = db.lease(self.name).await? else {
            return db.take_lease(self.name, &self.server, None).await;
        };
        match &self.watched {
            Some((seen, since)) if *seen == row => {
                if since.elapsed() < DEAD_AFTER {
                    return Ok(false);
                }
                db.take_lease(self.name, &self.server, Some(&row)).await
            }
            _ => {
                self.watched = Some((row, Instant::now()));
                Ok(false)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn one_server_does_a_job_until_it_is_silent_for_long() {
        let folder = tempfile::tempdir().unwrap();
        let db = Db::open(None, folder.path()).await.unwrap();
        let mut first = Lease::new("sweep", "one".to_owned());
        let mut second = Lease::new("sweep", "two".to_owned());
        assert!(first.is_mine(&db).await.unwrap());
        assert!(!second.is_mine(&db).await.unwrap());
        assert!(first.is_mine(&db).await.unwrap());
        assert!(!second.is_mine(&db).await.unwrap());
        // As if the second had watched in vain.
        let (row, since) = second.watched.take().unwrap();
        second.watched = Some((row, since.checked_sub(DEAD_AFTER).unwrap()));
        assert!(second.is_mine(&db).await.unwrap());
        assert!(!first.is_mine(&db).await.unwrap());
        let row = db.lease("sweep").await.unwrap().unwrap();
        assert_eq!((row.holder.as_str(), row.fence), ("two", 2));
    }
}
