-- What receivers of notifications were told, and are still to be told: queue::receivers. It is JSON.
CREATE TABLE receiver (
    name text PRIMARY KEY,
    contents text NOT NULL,
    -- Another one with each change.
    version bigint NOT NULL,
    -- The process that sends what waits; it may be gone.
    sender uuid
);
