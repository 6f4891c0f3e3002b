-- Bundles that become stable together, with what testers say of them.

CREATE TABLE updates (
    id BIGINT NOT NULL PRIMARY KEY,
    state TEXT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX updates_by_state ON updates (state, id);
