-- The run that finds out whether a host answers that was left alone for long enough; it may be over.
ALTER TABLE host ADD COLUMN probe uuid;
