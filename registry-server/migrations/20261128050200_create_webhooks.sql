-- Addresses that are told of changes, and what became of the newest messages.
CREATE TABLE webhooks (
    id TEXT NOT NULL PRIMARY KEY,
    url TEXT NOT NULL,
    secret TEXT NOT NULL,
    events TEXT NOT NULL,
    state TEXT NOT NULL,
    created_by TEXT NOT NULL,
    created_at TEXT NOT NULL,
    -- The last line of the audit log that it knows, and the serial of that line.
    number BIGINT NOT NULL,
    serial BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    next_try TEXT,
    leased_by TEXT,
    leased_until TEXT
);

CREATE TABLE webhook_attempts (
    webhook TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    message TEXT NOT NULL,
    at TEXT NOT NULL,
    is_delivered BIGINT NOT NULL,
    outcome TEXT NOT NULL,
    PRIMARY KEY (webhook, attempt)
);
