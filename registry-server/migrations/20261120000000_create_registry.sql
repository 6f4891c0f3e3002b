-- The first schema. Only BIGINT and TEXT, so that SQLite and PostgreSQL read it alike.

-- One row: the serial that rises with every visible change. Every writing transaction
-- updates it first, which also makes writers wait for each other.
CREATE TABLE registry (
    only_row BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    serial BIGINT NOT NULL
);
INSERT INTO registry (only_row, serial) VALUES (1, 0);

CREATE TABLE tokens (
    id TEXT NOT NULL PRIMARY KEY,
    name TEXT NOT NULL,
    hash TEXT NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT,
    revoked_at TEXT
);

-- Packages and bundles share one namespace: a name has one holder.
CREATE TABLE names (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL CHECK (holder IN ('package', 'bundle'))
);

CREATE TABLE packages (
    name TEXT NOT NULL PRIMARY KEY REFERENCES names (name),
    kind TEXT NOT NULL,
    extension_type TEXT,
    description TEXT,
    keywords TEXT NOT NULL,
    license TEXT,
    repository TEXT,
    state TEXT NOT NULL,
    state_reason TEXT,
    state_replacement TEXT,
    created_at TEXT NOT NULL
);

-- Every archive that arrived whole and was accepted, whether a version uses it yet or not.
CREATE TABLE archives (
    digest TEXT NOT NULL PRIMARY KEY,
    size BIGINT NOT NULL,
    unpacked BIGINT NOT NULL,
    entries BIGINT NOT NULL,
    format TEXT NOT NULL,
    manifest TEXT NOT NULL,
    stored_at TEXT NOT NULL
);

CREATE TABLE sessions (
    id TEXT NOT NULL PRIMARY KEY,
    token TEXT NOT NULL REFERENCES tokens (id),
    shape TEXT NOT NULL,
    state TEXT NOT NULL,
    reasons TEXT NOT NULL,
    declared TEXT NOT NULL,
    since TEXT NOT NULL,
    serial BIGINT
);
CREATE INDEX sessions_by_shape ON sessions (shape, state);

-- `precedence` is the version without its build metadata: two versions that differ in
-- `+build` alone cannot both exist.
CREATE TABLE versions (
    package TEXT NOT NULL REFERENCES packages (name),
    version TEXT NOT NULL,
    precedence TEXT NOT NULL,
    published_at TEXT NOT NULL,
    api TEXT,
    dependencies TEXT NOT NULL,
    session TEXT NOT NULL,
    serial BIGINT NOT NULL,
    yanked_at TEXT,
    yanked_reason TEXT,
    yanked_replacement TEXT,
    PRIMARY KEY (package, version),
    UNIQUE (package, precedence)
);

CREATE TABLE version_archives (
    package TEXT NOT NULL,
    version TEXT NOT NULL,
    target TEXT NOT NULL,
    digest TEXT NOT NULL REFERENCES archives (digest),
    PRIMARY KEY (package, version, target),
    FOREIGN KEY (package, version) REFERENCES versions (package, version)
);

CREATE TABLE matrices (
    serial BIGINT NOT NULL PRIMARY KEY,
    digest TEXT NOT NULL,
    text TEXT NOT NULL,
    pushed_at TEXT NOT NULL
);

CREATE TABLE bundle_sequences (
    bundle TEXT NOT NULL REFERENCES names (name),
    sequence BIGINT NOT NULL,
    document TEXT NOT NULL,
    published_at TEXT NOT NULL,
    PRIMARY KEY (bundle, sequence)
);

CREATE TABLE audit (
    serial BIGINT NOT NULL,
    position BIGINT NOT NULL,
    at TEXT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT NOT NULL,
    PRIMARY KEY (serial, position)
);

-- What the read side has not been told yet: written with each change, removed when the
-- change is readable.
CREATE TABLE jobs (
    serial BIGINT NOT NULL,
    subject TEXT NOT NULL,
    PRIMARY KEY (serial, subject)
);
