-- What search reads: a projection of packages, made again at any time.
CREATE TABLE search_documents (
    name TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL,
    extension_type TEXT NOT NULL,
    state TEXT NOT NULL,
    keywords TEXT NOT NULL,
    description TEXT NOT NULL,
    published_at TEXT NOT NULL,
    entry TEXT NOT NULL
);

-- Packages that changed since their document was made.
CREATE TABLE search_stale (
    name TEXT NOT NULL PRIMARY KEY
);
INSERT INTO search_stale (name) SELECT name FROM packages;
