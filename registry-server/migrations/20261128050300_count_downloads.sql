-- How often the archives of a version were asked for, by day (UTC).
CREATE TABLE downloads (
    package TEXT NOT NULL,
    version TEXT NOT NULL,
    day TEXT NOT NULL,
    count BIGINT NOT NULL,
    PRIMARY KEY (package, version, day)
);
CREATE INDEX downloads_by_day ON downloads (day);
