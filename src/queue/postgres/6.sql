-- The nodes that alone may run a mirror: queue::model::Member. Empty if any may.
ALTER TABLE mirror ADD COLUMN pin text NOT NULL DEFAULT '';

DROP INDEX mirror_due;
DROP INDEX mirror_lane;
CREATE INDEX mirror_due ON mirror (weight, (coalesce(waiting_class, 2)), pin, home, attention, id)
    WHERE running_run IS NULL AND attention IS NOT NULL;
CREATE INDEX mirror_lane ON mirror
    (weight, (coalesce(waiting_class, 2)), pin, home, owner, source_host, attention, id)
    WHERE running_run IS NULL AND attention IS NOT NULL;
