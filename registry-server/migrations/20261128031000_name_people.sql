-- People, and what they may do.
CREATE TABLE users (
    name TEXT NOT NULL PRIMARY KEY,
    roles TEXT NOT NULL,
    created_at TEXT NOT NULL,
    disabled_at TEXT
);

CREATE TABLE teams (
    name TEXT NOT NULL PRIMARY KEY,
    created_at TEXT NOT NULL
);

CREATE TABLE team_members (
    team TEXT NOT NULL REFERENCES teams (name),
    user_name TEXT NOT NULL REFERENCES users (name),
    role TEXT NOT NULL,
    PRIMARY KEY (team, user_name)
);

-- Which team each of the registry's own kinds belongs to.
CREATE TABLE namespaces (
    kind TEXT NOT NULL PRIMARY KEY,
    team TEXT NOT NULL REFERENCES teams (name)
);

-- `holder` is a user's name or `team:` and a team's.
CREATE TABLE owners (
    package TEXT NOT NULL,
    holder TEXT NOT NULL,
    role TEXT NOT NULL,
    since TEXT NOT NULL,
    PRIMARY KEY (package, holder)
);

-- `subject` is `package:` or `team:` and a name.
CREATE TABLE invitations (
    id TEXT NOT NULL PRIMARY KEY,
    subject TEXT NOT NULL,
    user_name TEXT NOT NULL REFERENCES users (name),
    role TEXT NOT NULL,
    invited_by TEXT NOT NULL,
    created_at TEXT NOT NULL,
    expires_at TEXT NOT NULL,
    UNIQUE (subject, user_name)
);

-- Whose a token is, what it is bound to (JSON), when it was last used (to the hour).
ALTER TABLE tokens ADD COLUMN user_name TEXT;
ALTER TABLE tokens ADD COLUMN bound TEXT;
ALTER TABLE tokens ADD COLUMN last_used_at TEXT;
CREATE INDEX tokens_by_user ON tokens (user_name);
