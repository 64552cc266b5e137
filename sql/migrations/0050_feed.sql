-- What the feed of changes needs besides the log: an epoch that tells cursors of
-- before a restore from those of after it, and for functions the sight of who
-- saw which project when.

-- Cursors hold snapshots, which mean something to one database only, and only as
-- long as it goes forward.
CREATE TABLE alloy.feed (
    one      boolean PRIMARY KEY DEFAULT true CHECK (one),
    epoch    bigint  NOT NULL DEFAULT 1,
    database oid     NOT NULL
);
COMMENT ON TABLE alloy.feed IS
    'One row: the epoch of the feed''s cursors, and the database that counts it';
INSERT INTO alloy.feed (database)
SELECT oid FROM pg_database WHERE datname = current_database();
GRANT SELECT ON alloy.feed TO alloy_app, alloy_backup;

-- For whoever restored a backup. Transaction ids of another time say nothing
-- about snapshots of now: what is in the log gets the lowest, which is in the
-- past of all of them.
CREATE PROCEDURE alloy.restart_feed()
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    ALTER TABLE alloy.change NO FORCE ROW LEVEL SECURITY;
    UPDATE alloy.change SET xid = '3'::xid8 WHERE xid <> '3'::xid8;
    ALTER TABLE alloy.change FORCE ROW LEVEL SECURITY;
    UPDATE alloy.feed
       SET epoch = epoch + 1,
           database = (SELECT oid FROM pg_database
                        WHERE datname = current_database());
END
$$;
COMMENT ON PROCEDURE alloy.restart_feed() IS
    'After a restore: cursors from before it are answered 410';

GRANT SELECT ON alloy.change TO alloy_definer;
CREATE POLICY definer_read ON alloy.change FOR SELECT TO alloy_definer
    USING (true);
