-- Issuers whose tokens are taken, under the names that the registry gives them. An absent
-- audience is the registry's public URL.
CREATE TABLE oidc_issuers (
    name TEXT NOT NULL PRIMARY KEY,
    url TEXT NOT NULL UNIQUE,
    kind TEXT NOT NULL,
    audience TEXT
);
INSERT INTO oidc_issuers (name, url, kind) VALUES
    ('github', 'https://token.actions.githubusercontent.com', 'github'),
    ('gitlab', 'https://gitlab.com', 'gitlab');

-- CI that may publish a package; `claims` is a JSON object of texts. One that is pending
-- waits for the first version of a package that does not exist yet.
CREATE TABLE trusted_publishers (
    id TEXT NOT NULL PRIMARY KEY,
    package TEXT NOT NULL,
    issuer TEXT NOT NULL,
    claims TEXT NOT NULL,
    pending BIGINT NOT NULL,
    created_by TEXT NOT NULL,
    created_at TEXT NOT NULL,
    last_used_at TEXT
);
CREATE INDEX trusted_publishers_by_package ON trusted_publishers (package);
CREATE INDEX trusted_publishers_by_issuer ON trusted_publishers (issuer);

-- Tokens of issuers that were exchanged: none is taken twice.
CREATE TABLE oidc_seen (
    issuer TEXT NOT NULL,
    token TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    PRIMARY KEY (issuer, token)
);
