-- Rows of the audit log are chained: each hash covers its row and the hash before it. Rows
-- of an earlier version have no number yet; the server chains them when it starts.
ALTER TABLE audit ADD COLUMN number BIGINT;
ALTER TABLE audit ADD COLUMN hash TEXT;
-- 1 where the change is one of the visible registry, which the event feed tells.
ALTER TABLE audit ADD COLUMN is_event BIGINT NOT NULL DEFAULT 1;
CREATE UNIQUE INDEX audit_by_number ON audit (number);

-- The newest row of the chain: at most one row here. Whoever appends updates it first.
CREATE TABLE audit_head (
    only_row BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    number BIGINT NOT NULL,
    hash TEXT NOT NULL
);
