-- Whose evidence counts, and the evidence that they gave.

CREATE TABLE testers (
    name TEXT NOT NULL PRIMARY KEY,
    key_id TEXT NOT NULL UNIQUE,
    public_key TEXT NOT NULL,
    added_at TEXT NOT NULL,
    removed_at TEXT
);

-- `subject` is a bundle's name, or `core@3.3.0 platform@2.6.0`. `key_id` stays where a tester
-- changes keys: evidence counts as long as the key that signed it is its tester's.
CREATE TABLE evidence (
    digest TEXT NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    tester TEXT NOT NULL REFERENCES testers (name),
    key_id TEXT NOT NULL,
    passed BIGINT NOT NULL,
    document TEXT NOT NULL,
    received_at TEXT NOT NULL,
    serial BIGINT NOT NULL
);
CREATE INDEX evidence_by_subject ON evidence (subject, serial);
