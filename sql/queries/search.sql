-- Searching tickets: in all projects and organizations of the caller, or by words
-- in one project.
-- use: ticket.sql

-- Here a status is a name in any workflow, and there are many active sprints,
-- which are few enough to be looked for before tickets are.
-- fragment: ticket_searched
t.deleted_at IS NULL AND @ticket_filters@
       AND (:sprint::uuid[] IS NULL OR t.sprint_id = ANY (:sprint::uuid[])
            OR (t.sprint_id IS NULL
                AND :sprint_words::text[] && '{none,backlog}')
            OR ('active' = ANY (:sprint_words::text[])
                AND t.sprint_id = ANY (ARRAY(
                   SELECT g.id
                     FROM unnest(:orgs::uuid[]) AS held (org_id)
                    CROSS JOIN LATERAL (
                       SELECT g.id FROM sprint g
                        WHERE g.org_id = held.org_id AND g.status = 'Active'
                          AND g.deleted_at IS NULL
                       OFFSET 0) g))))
       AND (:status::text[] IS NULL
            OR lower(t.status) IN (SELECT lower(named)
                                     FROM unnest(:status::text[]) AS named))
       AND (:category::text[] IS NULL
            OR (SELECT s.category FROM workflow_status s
                 WHERE s.org_id = t.org_id AND s.workflow_id = t.workflow_id
                   AND s.name = t.status) = ANY (:category::text[]))

-- Where the caller's tickets are: organizations as a whole where he sees all of
-- them, else the projects he sees; only the projects he names when he does. One
-- person's tickets are few enough to be looked through in all projects.
-- fragment: ticket_places
SELECT mine.org_id, NULL::uuid AS project_id
      FROM unnest(:orgs::uuid[]) AS mine (org_id)
     WHERE :project::uuid[] IS NULL
       AND (@ticket_one_person@
            OR mine.org_id = ANY (nullif(current_setting('alloy.all', true),
                                         '')::uuid[]))
    UNION ALL
    SELECT mine.org_id, p.id
      FROM unnest(:orgs::uuid[]) AS mine (org_id)
     CROSS JOIN LATERAL (
        SELECT p.id FROM project p
         WHERE p.org_id = mine.org_id AND p.deleted_at IS NULL
           AND (:project::uuid[] IS NULL OR p.id = ANY (:project::uuid[]))
        OFFSET 0) p
     WHERE :project::uuid[] IS NOT NULL
        OR NOT (@ticket_one_person@)
       AND mine.org_id <> ALL (coalesce(nullif(current_setting('alloy.all',
                                                               true), ''),
                                        '{}')::uuid[])

-- A page of each place, of which the page is made. Projects are asked for row by
-- row: joined, they would tempt the planner to sort.
-- name: ticket_search :page :custom
-- sorts: t -created_at created_at -updated_at updated_at
SELECT @ticket_columns@,
       @ticket_labels@,
       @sort_key@ AS _at, t.id AS _id
  FROM (
    SELECT t.*
      FROM (
    @ticket_places@) mine
     CROSS JOIN LATERAL (
       (SELECT * FROM ticket t
         WHERE mine.project_id IS NULL AND t.org_id = mine.org_id
           AND (SELECT p.deleted_at IS NULL FROM project p
                 WHERE p.org_id = t.org_id AND p.id = t.project_id)
           AND @ticket_searched@ AND @sort_after@
         @sort_order@
         LIMIT :limit)
        UNION ALL
       (SELECT * FROM ticket t
         WHERE mine.project_id IS NOT NULL AND t.org_id = mine.org_id
           AND t.project_id = mine.project_id
           AND @ticket_searched@ AND @sort_after@
         @sort_order@
         LIMIT :limit)) t
     @sort_order@
     LIMIT :limit) t
 @ticket_joins@
 @sort_order@
 LIMIT :limit

-- What was typed as a key is found before what mentions it, whatever its age. A
-- rank becomes an instant, because that is what cursors hold; the best is first.
-- fragment: ticket_ranked
SELECT t.*,
           CASE WHEN f.exact THEN timestamptz '9999-01-01Z'
                ELSE t.created_at END AS found_at,
           CASE WHEN f.exact THEN to_timestamp(0)
                ELSE to_timestamp(2e6 - round(f.rank * 1e6)) END AS relevance

-- Everything that matches in organization mine is looked at: words are found in
-- no order of time. So filters choose no index, and one plan, which is made once,
-- is as good with them as without.
-- fragment: ticket_found
CROSS JOIN LATERAL (
        SELECT w.id, bool_or(w.exact) AS exact, max(w.rank) AS rank
          FROM (SELECT d.ticket_id AS id, false AS exact, d.rank
                  FROM definer.search_tickets(mine.org_id,
                           alloy.search_query(:q),
                           coalesce(:sort::text = 'relevance', false)) d
                UNION ALL
                SELECT t.id, true, NULL
                  FROM project p
                 CROSS JOIN LATERAL (
                    SELECT t.id FROM ticket t
                     WHERE t.org_id = mine.org_id AND t.project_id = p.id
                       AND t.ticket_number = CASE WHEN :q::text
                           ~ '^\s*[A-Za-z][A-Za-z0-9]{1,9}-[1-9][0-9]{0,17}\s*$'
                           THEN split_part(:q, '-', 2)::bigint ELSE 0 END
                     LIMIT 1) t
                 WHERE p.org_id = mine.org_id
                   AND p.key = upper(ltrim(split_part(:q, '-', 1)))) w
         GROUP BY w.id) f
     CROSS JOIN LATERAL (
        SELECT * FROM ticket t
         WHERE t.org_id = mine.org_id AND t.id = f.id
         LIMIT 1) t
     WHERE (SELECT p.deleted_at IS NULL FROM project p
             WHERE p.org_id = t.org_id AND p.id = t.project_id)
       AND @ticket_searched@

-- name: ticket_search_words :page :slow
-- sorts: t (-found_at) -created_at created_at -updated_at updated_at relevance
SELECT @ticket_columns@,
       @ticket_labels@,
       @sort_key@ AS _at, t.id AS _id
  FROM (
    @ticket_ranked@
      FROM unnest(:orgs::uuid[]) AS mine (org_id)
     @ticket_found@
       AND (:project::uuid[] IS NULL
            OR t.project_id = ANY (:project::uuid[]))) t
 @ticket_joins@
 WHERE @sort_after@
 @sort_order@
 LIMIT :limit

-- name: ticket_list_words :page :slow
-- sorts: t (-found_at) -created_at created_at -updated_at updated_at relevance
SELECT @ticket_columns@,
       @ticket_labels@,
       @sort_key@ AS _at, t.id AS _id
  FROM (
    @ticket_ranked@
      FROM (SELECT :org::uuid) AS mine (org_id)
     @ticket_found@
       AND t.project_id = :project) t
 @ticket_joins@
 WHERE @sort_after@
 @sort_order@
 LIMIT :limit
