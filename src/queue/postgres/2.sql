-- What a claim reads no longer grows with how many mirrors are due, and goes by who has which cache.

-- The folders of processes that keep caches, also of those that are gone, each with the last process that had it.
CREATE TABLE home (
    id uuid PRIMARY KEY,
    node uuid NOT NULL
);

-- The home of its cache: where it was synced last. 0 if there is none.
ALTER TABLE mirror ADD COLUMN home uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000';

DROP INDEX mirror_attention;
-- Claims that may have run out.
CREATE INDEX mirror_claimed ON mirror (attention) WHERE running_run IS NOT NULL;
-- What is due, by all that decides who claims it first; and the same for each owner and host apart.
CREATE INDEX mirror_due ON mirror (weight, (coalesce(waiting_class, 2)), home, attention, id)
    WHERE running_run IS NULL AND attention IS NOT NULL;
CREATE INDEX mirror_lane ON mirror
    (weight, (coalesce(waiting_class, 2)), home, owner, source_host, attention, id)
    WHERE running_run IS NULL AND attention IS NOT NULL;

-- The runs of one target that began a little while ago.
CREATE INDEX mirror_target ON mirror (target) WHERE target <> '';
DROP INDEX run_started;
CREATE INDEX run_begun ON run (mirror, started);

-- Hosts of sources that could not be reached since they last answered.
CREATE TABLE host (
    name text PRIMARY KEY,
    -- How often in a row.
    failures bigint NOT NULL,
    -- Until when it is left alone, if it is, and for how long that was.
    closed bigint,
    pause bigint NOT NULL
);

-- Targets that have asked to be left alone, each for the mirrors of one owner.
CREATE TABLE pause (
    target_host text NOT NULL,
    owner text NOT NULL,
    until bigint NOT NULL,
    PRIMARY KEY (target_host, owner)
);
