-- What an operator holds back while the registry runs.
CREATE TABLE switches (
    name TEXT NOT NULL PRIMARY KEY,
    reason TEXT NOT NULL,
    thrown_by TEXT NOT NULL,
    since TEXT NOT NULL
);
