-- The words of a ticket: its title, its description and what was said about it,
-- kept by triggers in the transaction that changes them.

-- A ticket's words are in its row of part 0. Only what was said at great length
-- goes on into further parts, because PostgreSQL lets a tsvector have 1 MB.
CREATE TABLE alloy.ticket_text (
    org_id     uuid     NOT NULL,
    ticket_id  uuid     NOT NULL,
    part       integer  NOT NULL CHECK (part >= 0),
    project_id uuid     NOT NULL,
    size       integer  NOT NULL CHECK (size >= 0),
    document   tsvector NOT NULL,
    PRIMARY KEY (org_id, ticket_id, part),
    FOREIGN KEY (org_id, ticket_id) REFERENCES alloy.ticket ON DELETE CASCADE
);
-- New words wait in a list that each search reads: kept short.
CREATE INDEX ticket_text_document
    ON alloy.ticket_text USING gin (org_id, document)
    WITH (gin_pending_list_limit = 256);
COMMENT ON TABLE alloy.ticket_text IS
    'What full-text search reads; made from tickets and comments by triggers';
COMMENT ON COLUMN alloy.ticket_text.size IS 'Bytes of text it was made from';

-- Nobody but the triggers writes it, and it has no history of its own.
CALL alloy.fence('alloy.ticket_text', 'project_id');
REVOKE INSERT, UPDATE (size, document) ON alloy.ticket_text FROM alloy_app;

GRANT SELECT ON alloy.comment TO alloy_definer;
CREATE POLICY definer ON alloy.comment FOR SELECT TO alloy_definer USING (true);
GRANT SELECT, INSERT, DELETE, UPDATE (size, document)
   ON alloy.ticket_text TO alloy_definer;
CREATE POLICY definer ON alloy.ticket_text TO alloy_definer
    USING (true) WITH CHECK (true);

-- Words as they are written, for beginnings of words, and their English stems.
-- 64 KiB of text, however chosen, make less than 512 KiB of this.
CREATE FUNCTION alloy.words(content text, weight "char") RETURNS tsvector
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN setweight(to_tsvector('english'::regconfig, coalesce(content, ''))
                     || to_tsvector('simple'::regconfig, coalesce(content, '')),
                     weight);
COMMENT ON FUNCTION alloy.words(text, "char") IS
    'The searchable words of a text, with a weight';
GRANT EXECUTE ON FUNCTION alloy.words(text, "char") TO alloy_definer;

SET LOCAL ROLE alloy_definer;

-- Room for comments beside title and description, and in each further part; a
-- part may run over by its last comment.
CREATE FUNCTION definer.ticket_text_room() RETURNS integer
    LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
    AS $$ SELECT 45056 $$;

-- Reads a ticket anew. The lock comes first and the look in the next statement,
-- which sees what others, who held the lock, have said meanwhile.
CREATE FUNCTION definer.read_ticket_text(org uuid, ticket uuid) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    room constant integer := definer.ticket_text_room();
    last integer;
BEGIN
    PERFORM FROM alloy.ticket_text x
      WHERE x.org_id = org AND x.ticket_id = ticket AND x.part = 0
        FOR NO KEY UPDATE;
    WITH said AS (
        SELECT c.body, c.created_at, c.id, octet_length(c.body) AS size,
               sum(octet_length(c.body)) OVER (ORDER BY c.created_at, c.id)
                   AS until
          FROM alloy.comment c
         WHERE c.org_id = org AND c.ticket_id = ticket AND c.deleted_at IS NULL
    ), parts AS (
        SELECT CASE WHEN s.until <= room THEN 0
                    ELSE 1 + (s.until - s.size) / room END AS part,
               sum(s.size) AS size,
               string_agg(s.body, E'\n' ORDER BY s.created_at, s.id) AS body
          FROM said s
         GROUP BY 1
    ), written AS (
        INSERT INTO alloy.ticket_text AS x
               (org_id, ticket_id, part, project_id, size, document)
        SELECT org, ticket, 0, t.project_id,
               octet_length(t.title) + coalesce(octet_length(t.description), 0)
                   + coalesce(p.size, 0),
               alloy.words(t.title, 'A') || alloy.words(t.description, 'B')
                   || alloy.words(p.body, 'C')
          FROM alloy.ticket t
          LEFT JOIN parts p ON p.part = 0
         WHERE t.org_id = org AND t.id = ticket AND t.deleted_at IS NULL
        UNION ALL
        SELECT org, ticket, p.part, t.project_id, p.size,
               alloy.words(p.body, 'C')
          FROM alloy.ticket t
          JOIN parts p ON p.part > 0
         WHERE t.org_id = org AND t.id = ticket AND t.deleted_at IS NULL
        ON CONFLICT (org_id, ticket_id, part) DO UPDATE
            SET size = excluded.size, document = excluded.document
        RETURNING x.part
    )
    SELECT max(w.part) INTO last FROM written w;
    DELETE FROM alloy.ticket_text x
     WHERE x.org_id = org AND x.ticket_id = ticket
       AND x.part > coalesce(last, -1);
END
$$;

CREATE FUNCTION definer.ticket_text_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        PERFORM definer.read_ticket_text(NEW.org_id, NEW.id);
    ELSE
        INSERT INTO alloy.ticket_text (org_id, ticket_id, part, project_id,
                                       size, document)
        VALUES (NEW.org_id, NEW.id, 0, NEW.project_id,
                octet_length(NEW.title)
                    + coalesce(octet_length(NEW.description), 0),
                alloy.words(NEW.title, 'A')
                    || alloy.words(NEW.description, 'B'));
    END IF;
    RETURN NULL;
END
$$;

-- A new comment is added to what is there; anything else reads all of it anew.
-- Of a deleted ticket there is nothing to add to.
CREATE FUNCTION definer.comment_text_changed() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    added constant integer := octet_length(NEW.body);
    last  record;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        PERFORM definer.read_ticket_text(NEW.org_id, NEW.ticket_id);
        RETURN NULL;
    END IF;
    PERFORM FROM alloy.ticket_text x
      WHERE x.org_id = NEW.org_id AND x.ticket_id = NEW.ticket_id
        AND x.part = 0
        FOR NO KEY UPDATE;
    SELECT x.part, x.size INTO last FROM alloy.ticket_text x
     WHERE x.org_id = NEW.org_id AND x.ticket_id = NEW.ticket_id
     ORDER BY x.part DESC LIMIT 1;
    IF last.size + added <= definer.ticket_text_room() THEN
        UPDATE alloy.ticket_text x
           SET size = x.size + added,
               document = x.document || alloy.words(NEW.body, 'C')
         WHERE x.org_id = NEW.org_id AND x.ticket_id = NEW.ticket_id
           AND x.part = last.part;
    ELSIF last.part IS NOT NULL THEN
        INSERT INTO alloy.ticket_text (org_id, ticket_id, part, project_id,
                                       size, document)
        VALUES (NEW.org_id, NEW.ticket_id, last.part + 1, NEW.project_id, added,
                alloy.words(NEW.body, 'C'));
    END IF;
    RETURN NULL;
END
$$;

GRANT EXECUTE
   ON FUNCTION definer.ticket_text_changed(), definer.comment_text_changed()
   TO alloy_owner;

-- What is there already.
DO $$
BEGIN
    PERFORM definer.read_ticket_text(t.org_id, t.id)
       FROM alloy.ticket t
      WHERE t.deleted_at IS NULL;
END
$$;

SET LOCAL ROLE alloy_owner;

CREATE TRIGGER text_inserted AFTER INSERT ON alloy.ticket
    FOR EACH ROW WHEN (NEW.deleted_at IS NULL)
    EXECUTE FUNCTION definer.ticket_text_changed();
CREATE TRIGGER text_updated AFTER UPDATE ON alloy.ticket
    FOR EACH ROW WHEN ((OLD.title, OLD.description, OLD.deleted_at IS NULL)
                       IS DISTINCT FROM
                       (NEW.title, NEW.description, NEW.deleted_at IS NULL))
    EXECUTE FUNCTION definer.ticket_text_changed();
CREATE TRIGGER text_inserted AFTER INSERT ON alloy.comment
    FOR EACH ROW WHEN (NEW.deleted_at IS NULL)
    EXECUTE FUNCTION definer.comment_text_changed();
CREATE TRIGGER text_updated AFTER UPDATE ON alloy.comment
    FOR EACH ROW WHEN ((OLD.body, OLD.deleted_at IS NULL)
                       IS DISTINCT FROM (NEW.body, NEW.deleted_at IS NULL))
    EXECUTE FUNCTION definer.comment_text_changed();

-- Lists in order of the last change.
CREATE INDEX ticket_project_updated
    ON alloy.ticket (org_id, project_id, updated_at DESC, id DESC)
    WHERE deleted_at IS NULL;
CREATE INDEX ticket_updated ON alloy.ticket (org_id, updated_at DESC, id DESC)
    WHERE deleted_at IS NULL;
