-- What "make bench" measures on: 10 organizations of 10 users and 10 projects,
-- and :size tickets evenly spread over the 100 projects. Run by the
-- administrator on an empty, migrated database.
--
-- Every id can be made from numbers, for pgbench has no others: an
-- organization is the number 101 to 110, which is the shard of its ids as well.
\set ON_ERROR_STOP on
SET client_min_messages = warning;
-- The loader is not what is measured.
SET synchronous_commit = off;
SET maintenance_work_mem = '512MB';

CREATE SCHEMA bench;

CREATE FUNCTION bench.id(kind text, org int, n bigint) RETURNS uuid
    LANGUAGE sql IMMUTABLE
    RETURN ('0190' || kind || '-0000-7' || org::text || '-8'
            || (100000000000000 + n)::text)::uuid;
COMMENT ON FUNCTION bench.id(text, int, bigint) IS
    'The id of the n-th thing of an organization; kind: four hexadecimal digits';

BEGIN;

INSERT INTO alloy.organization (org_id, name, slug)
SELECT bench.id('a000', o, 0), 'Organization ' || o, 'organization-' || o
  FROM generate_series(101, 110) o;

INSERT INTO identity.user (id, email, email_folded, display_name)
SELECT bench.id('b000', o, u), format('person%s.%s@example.com', o, u),
       format('person%s.%s@example.com', o, u), format('Person %s of %s', u, o)
  FROM generate_series(101, 110) o, generate_series(0, 9) u;

INSERT INTO alloy.membership (org_id, user_id, role)
SELECT bench.id('a000', o, 0), bench.id('b000', o, u),
       CASE u WHEN 0 THEN 'Owner' WHEN 1 THEN 'Admin' ELSE 'Member' END
  FROM generate_series(101, 110) o, generate_series(0, 9) u;

SELECT count(alloy.workflow_make_default(bench.id('a000', o, 0),
                                         bench.id('c000', o, 0)))
  FROM generate_series(101, 110) o;

INSERT INTO alloy.project (org_id, id, key, name, workflow_id, created_by,
                           created_at, ticket_counter)
SELECT bench.id('a000', o, 0), bench.id('d000', o, p),
       format('P%sX%s', o, p), format('Project %s of %s', p, o),
       bench.id('c000', o, 0), bench.id('b000', o, 0), '2025-01-01',
       :size / 100
  FROM generate_series(101, 110) o, generate_series(0, 9) p;

INSERT INTO alloy.project_member (org_id, project_id, user_id)
SELECT bench.id('a000', o, 0), bench.id('d000', o, p), bench.id('b000', o, u)
  FROM generate_series(101, 110) o, generate_series(0, 9) p,
       generate_series(0, 9) u;

COMMIT;

-- From here on without triggers: neither foreign keys nor history are to be
-- made a million times. All of it is from 2025; what is younger, a run made.
SET session_replication_role = replica;

INSERT INTO alloy.ticket (org_id, id, project_id, ticket_number, workflow_id,
                          title, description, type, status, priority,
                          reporter_id, assignee_id, created_at, updated_at,
                          closed_at)
SELECT bench.id('a000', o, 0), bench.id('e000', o, n),
       bench.id('d000', o, n % 10), n / 10 + 1, bench.id('c000', o, 0),
       (ARRAY['Sign-in fails after the password was changed',
              'Show the sum of all open invoices',
              'Import of customers stops at empty lines',
              'Make the start page load in less than a second',
              'Translate the order form'])[n % 5 + 1] || ', part ' || n,
       substr(words, 1 + n % 97, 90 + n * 7919 % 200),
       (ARRAY['Task', 'Task', 'Bug', 'Story'])[n / 10 % 4 + 1], s.name,
       (ARRAY['Medium', 'High', 'Medium', 'Low', 'Critical'])[n / 10 % 5 + 1],
       bench.id('b000', o, n / 7 % 10),
       CASE WHEN n % 4 > 0 THEN bench.id('b000', o, n / 3 % 10) END,
       at, at + interval '1 hour',
       CASE WHEN s.category = 'done' THEN at + interval '1 hour' END
  FROM generate_series(101, 110) o
 CROSS JOIN generate_series(0, :size / 10 - 1) n
 CROSS JOIN LATERAL (SELECT timestamptz '2025-01-01'
                            + n * (interval '300 days' / (:size / 10)) AS at) t
 CROSS JOIN (SELECT repeat(
        'It happens with some customers only, mostly those who came over '
        'from the old system. What was expected: the page they asked for. '
        'What came: an empty one. ', 3) AS words) w
  JOIN (VALUES (0, 'Backlog', 'todo'), (1, 'Todo', 'todo'),
               (2, 'InProgress', 'in_progress'),
               (3, 'InReview', 'in_progress'), (4, 'Done', 'done'),
               (5, 'Cancelled', 'done')) AS s (place, name, category)
    ON s.place = n / 10 % 6
 ORDER BY n;

-- The words of all of them, as the triggers would have written them; an index is
-- made faster than it grows.
DO $$
DECLARE
    words text := pg_get_indexdef('alloy.ticket_text_document'::regclass);
BEGIN
    DROP INDEX alloy.ticket_text_document;
    INSERT INTO alloy.ticket_text (org_id, ticket_id, part, project_id, size,
                                   document)
    SELECT t.org_id, t.id, 0, t.project_id,
           octet_length(t.title) + octet_length(t.description),
           alloy.words(t.title, 'A') || alloy.words(t.description, 'B')
      FROM alloy.ticket t;
    EXECUTE words;
END
$$;

-- A table with the columns, defaults and indexes of tickets and nothing else:
-- no fence, no foreign key, no check, no trigger. What goes into it per second
-- is the most that could go into the real one.
DO $$
DECLARE
    columns    text;
    definition text;
BEGIN
    CREATE TABLE bench.ticket (LIKE alloy.ticket INCLUDING DEFAULTS
                               INCLUDING GENERATED INCLUDING IDENTITY);
    SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns
      FROM pg_attribute
     WHERE attrelid = 'alloy.ticket'::regclass AND attnum > 0
       AND NOT attisdropped AND attgenerated = '';
    EXECUTE format('INSERT INTO bench.ticket (%1$s) SELECT %1$s '
                   'FROM alloy.ticket', columns);
    FOR definition IN
        SELECT pg_get_indexdef(indexrelid) FROM pg_index
         WHERE indrelid = 'alloy.ticket'::regclass
    LOOP
        EXECUTE replace(definition, ' ON alloy.ticket ', ' ON bench.ticket ');
    END LOOP;
END
$$;

VACUUM (ANALYZE);
CHECKPOINT;
