//! What waits for people's signatures, and what they have signed.

use std::collections::BTreeMap;

use jiff::Timestamp;
use provisioning_trust::{Proposal, Signature};
use sqlx::AnyConnection;

use super::{Db, DbError, from_json, parsed, to_json};

/// What a proposal is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProposalKind {
    /// The next version of the first-party targets.
    Release,
    /// A change of keys.
    Roles,
}

/// How far a proposal has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProposalState {
    /// It waits for signatures.
    Open,
    /// It has them; whoever signs next puts it in force.
    Accepted,
    /// It is in force, or was.
    Applied,
    /// Something else overtook it.
    Superseded,
}

/// A proposal as the database knows it.
#[derive(Debug, Clone)]
pub(crate) struct ProposalRow {
    pub(crate) id: String,
    pub(crate) kind: ProposalKind,
    pub(crate) made_at: Timestamp,
    /// With the signatures that people have added.
    pub(crate) proposals: Vec<Proposal>,
    pub(crate) contents: BTreeMap<String, String>,
    /// Publish sessions that become visible with a release, or labels of the keys that the
    /// registry gives up with a change of keys.
    pub(crate) covers: Vec<String>,
}

impl ProposalKind {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Release => "release",
            Self::Roles => "roles",
        }
    }
}

impl ProposalState {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Accepted => "accepted",
            Self::Applied => "applied",
            Self::Superseded => "superseded",
        }
    }
}

type Columns = (String, String, String, String, String, String);

/// Keeps a proposal; what was open of its kind is overtaken by it.
pub(crate) async fn insert_proposal(
    connection: &mut AnyConnection,
    row: &ProposalRow,
    state: ProposalState,
) -> Result<(), DbError> {
    sqlx::query("UPDATE proposals SET state = $1 WHERE kind = $2 AND state = $3 AND id <> $4")
        .bind(ProposalState::Superseded.as_str().to_owned())
        .bind(row.kind.as_str().to_owned())
        .bind(ProposalState::Open.as_str().to_owned())
        .bind(row.id.clone())
        .execute(&mut *connection)
        .await?;
    sqlx::query(
        "INSERT INTO proposals (id, kind, state, made_at, document, contents, covers) \
         VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET state = excluded.state",
    )
    .bind(row.id.clone())
    .bind(row.kind.as_str().to_owned())
    .bind(state.as_str().to_owned())
    .bind(row.made_at.to_string())
    .bind(to_json(&row.proposals))
    .bind(to_json(&row.contents))
    .bind(to_json(&row.covers))
    .execute(connection)
    .await?;
    Ok(())
}

/// Adds a signature; one of the same key is replaced.
pub(crate) async fn add_signature(
    connection: &mut AnyConnection,
    proposal: &str,
    signature: &Signature,
    (by, at): (&str, Timestamp),
) -> Result<(), DbError> {
    sqlx::query(
        "INSERT INTO proposal_signatures (proposal, keyid, sig, added_at, added_by) \
         VALUES ($1, $2, $3, $4, $5) ON CONFLICT (proposal, keyid) DO UPDATE SET \
         sig = excluded.sig, added_at = excluded.added_at, added_by = excluded.added_by",
    )
    .bind(proposal.to_owned())
    .bind(signature.keyid.clone())
    .bind(signature.sig.clone())
    .bind(at.to_string())
    .bind(by.to_owned())
    .execute(connection)
    .await?;
    Ok(())
}

/// Moves a proposal on; `false` where it was not in `from` any more.
pub(crate) async fn move_proposal(
    connection: &mut AnyConnection,
    id: &str,
    from: ProposalState,
    to: ProposalState,
) -> Result<bool, DbError> {
    let result = sqlx::query("UPDATE proposals SET state = $1 WHERE id = $2 AND state = $3")
        .bind(to.as_str().to_owned())
        .bind(id.to_owned())
        .bind(from.as_str().to_owned())
        .execute(connection)
        .await?;
    Ok(result.rows_affected() == 1)
}

impl Db {
    /// The release that waits for signatures.
    pub(crate) async fn open_release(&self) -> Result<Option<ProposalRow>, DbError> {
        let mut rows = self.proposals_in(ProposalState::Open).await?;
        rows.retain(|it| it.kind == ProposalKind::Release);
        Ok(rows.pop())
    }

    /// What people have signed and nobody has put in force yet, oldest first.
    pub(crate) async fn accepted_proposals(&self) -> Result<Vec<ProposalRow>, DbError> {
        self.proposals_in(ProposalState::Accepted).await
    }

    /// Notes that these are in force.
    pub(crate) async fn close_proposals(&self, rows: &[ProposalRow]) -> Result<(), DbError> {
        let mut tx = self.write_quietly().await?;
        for row in rows {
            let (from, to) = (ProposalState::Accepted, ProposalState::Applied);
            move_proposal(tx.connection(), &row.id, from, to).await?;
        }
        tx.commit().await
    }

    /// Notes that an accepted proposal cannot be put in force.
    pub(crate) async fn set_proposal_aside(&self, id: &str) -> Result<(), DbError> {
        let mut tx = self.write_quietly().await?;
        let (from, to) = (ProposalState::Accepted, ProposalState::Superseded);
        move_proposal(tx.connection(), id, from, to).await?;
        tx.commit().await
    }

    async fn proposals_in(&self, state: ProposalState) -> Result<Vec<ProposalRow>, DbError> {
        let rows: Vec<Columns> = sqlx::query_as(
            "SELECT id, kind, made_at, document, contents, covers FROM proposals \
             WHERE state = $1 ORDER BY made_at, id",
        )
        .bind(state.as_str().to_owned())
        .fetch_all(self.pool())
        .await?;
        let mut found = Vec::new();
        for row in rows {
            let mut row = read(row)?;
            let signatures = self.signatures(&row.id).await?;
            // A change of keys carries its signatures itself.
            if let [proposal] = &mut row.proposals[..]
                && row.kind == ProposalKind::Release
            {
                for signature in signatures {
                    proposal.add(signature);
                }
            }
            found.push(row);
        }
        Ok(found)
    }

    async fn signatures(&self, proposal: &str) -> Result<Vec<Signature>, DbError> {
        let rows: Vec<(String, String)> = sqlx::query_as(
            "SELECT keyid, sig FROM proposal_signatures WHERE proposal = $1 ORDER BY keyid",
        )
        .bind(proposal.to_owned())
        .fetch_all(self.pool())
        .await?;
        let rows = rows.into_iter();
        Ok(rows.map(|(keyid, sig)| Signature { keyid, sig }).collect())
    }
}

fn read((id, kind, made_at, document, contents, covers): Columns) -> Result<ProposalRow, DbError> {
    let kind = match kind.as_str() {
        "release" => ProposalKind::Release,
        "roles" => ProposalKind::Roles,
        _ => {
            return Err(DbError::Value {
                value: kind,
                expected: "`release` or `roles`",
            });
        }
    };
    Ok(ProposalRow {
        id,
        kind,
        made_at: parsed(&made_at, "a point in time")?,
        proposals: from_json(&document, "proposals")?,
        contents: from_json(&contents, "the texts of targets")?,
        covers: from_json(&covers, "a list of names")?,
    })
}
