-- Versions that were deleted by the written rule: name and number stay taken for ever.
CREATE TABLE tombstones (
    package TEXT NOT NULL,
    precedence TEXT NOT NULL,
    version TEXT NOT NULL,
    reason TEXT NOT NULL,
    deleted_by TEXT NOT NULL,
    deleted_at TEXT NOT NULL,
    PRIMARY KEY (package, precedence)
);

-- What one package may have beyond the registry's settings.
CREATE TABLE quotas (
    package TEXT NOT NULL PRIMARY KEY,
    archive_bytes BIGINT,
    total_bytes BIGINT
);

-- The state that a quarantine ends in (JSON).
ALTER TABLE packages ADD COLUMN before_quarantine TEXT;
