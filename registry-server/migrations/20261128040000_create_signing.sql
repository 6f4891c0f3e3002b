-- Who may sign now, and what was signed last. One row, so that taking the right, and showing
-- what was signed with it, is one statement each.
--
-- `fence` rises each time the right is taken and is the version of all metadata that is signed
-- with it: no two holders ever write one file. What a holder signed counts only if its fence is
-- still the newest when it is shown.
CREATE TABLE signing (
    only_row BIGINT NOT NULL PRIMARY KEY CHECK (only_row = 1),
    fence BIGINT NOT NULL,
    -- Empty where nobody has it.
    holder TEXT NOT NULL,
    -- Rises while the holder works, so that others see that it lives.
    beat BIGINT NOT NULL,
    -- The version of the timestamp that is in force, the serial that it shows, and its text.
    shown BIGINT NOT NULL,
    serial BIGINT NOT NULL,
    timestamp TEXT NOT NULL,
    -- The newest timestamp whose files are known to survive a power failure.
    kept BIGINT NOT NULL,
    kept_timestamp TEXT NOT NULL
);
INSERT INTO signing (only_row, fence, holder, beat, shown, serial, timestamp, kept, kept_timestamp)
VALUES (1, 0, '', 0, 0, 0, '', 0, '');

-- Signing keys that the servers of one PostgreSQL database share: PKCS#8 PEM by label.
CREATE TABLE signing_keys (
    label TEXT NOT NULL PRIMARY KEY,
    pem TEXT NOT NULL
);

-- Bytes (in hexadecimal digits) of small archives whose files a power failure could take back.
CREATE TABLE fresh_archives (
    server TEXT NOT NULL,
    digest TEXT NOT NULL,
    number BIGINT NOT NULL,
    bytes TEXT NOT NULL,
    PRIMARY KEY (server, digest)
);

-- Jobs that one server at a time does.
CREATE TABLE leases (
    name TEXT NOT NULL PRIMARY KEY,
    holder TEXT NOT NULL,
    fence BIGINT NOT NULL,
    beat BIGINT NOT NULL
);
