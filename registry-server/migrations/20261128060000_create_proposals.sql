-- What waits for people's signatures, and what they have signed.
--
-- `release` is the next version of the first-party targets; `roles` is a change of keys. A
-- proposal that is `accepted` has its signatures and is put in force by whoever signs next;
-- then it is `applied`. One that something else overtook is `superseded`.
CREATE TABLE proposals (
    id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('release', 'roles')),
    state TEXT NOT NULL,
    made_at TEXT NOT NULL,
    -- The proposals themselves, as JSON.
    document TEXT NOT NULL,
    -- The text of every target that becomes another, by path, as JSON.
    contents TEXT NOT NULL,
    -- As JSON: the publish sessions that become visible with a release, or the labels of the
    -- private keys that the registry gives up with a change of keys.
    covers TEXT NOT NULL
);
CREATE INDEX proposals_by_state ON proposals (state, kind);

CREATE TABLE proposal_signatures (
    proposal TEXT NOT NULL REFERENCES proposals (id),
    keyid TEXT NOT NULL,
    sig TEXT NOT NULL,
    added_at TEXT NOT NULL,
    added_by TEXT NOT NULL,
    PRIMARY KEY (proposal, keyid)
);
