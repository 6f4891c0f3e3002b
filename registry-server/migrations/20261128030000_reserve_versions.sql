-- What an open publish session holds against others, before any byte is sent: a version
-- (without its build metadata), or, with an empty precedence, a name that is new.
CREATE TABLE reservations (
    package TEXT NOT NULL,
    precedence TEXT NOT NULL,
    session TEXT NOT NULL,
    holder TEXT NOT NULL,
    PRIMARY KEY (package, precedence)
);
CREATE INDEX reservations_by_session ON reservations (session);

-- Who opened a session, as the audit log calls them; the user's name where there is one.
ALTER TABLE sessions ADD COLUMN opened_by TEXT;
ALTER TABLE sessions ADD COLUMN owner TEXT;
-- A moderator's yes.
ALTER TABLE sessions ADD COLUMN approved_by TEXT;
ALTER TABLE sessions ADD COLUMN approved_at TEXT;

-- What administrators set while the registry runs; what is absent has its default.
CREATE TABLE settings (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);
