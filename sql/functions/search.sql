-- Full-text search. Re-applied at every migration.

-- What the beginning of a word may be the beginning of. Documents hold stems: one
-- that is as long begins with it, and a shorter one is the stem of it with some
-- ending. "pagina" may become pagination, whose stem is "pagin"; "plann" may
-- become planning, whose stem is "plan".
CREATE OR REPLACE FUNCTION alloy.search_beginning(typed text) RETURNS tsquery
    LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp AS $$
    SELECT concat_ws(' | ', quote_literal(typed) || ':*',
                     string_agg(DISTINCT quote_literal(stem), ' | '))::tsquery
      FROM generate_series(greatest(3, length(typed) - 6), length(typed)) AS kept
     CROSS JOIN unnest('{able,ably,al,ally,als,ance,ances,ancy,ant,ants,ate,ated,
        ately,ates,ating,ation,ational,ations,ative,ator,ators,ed,ence,ences,ency,
        ent,ently,ents,er,ers,es,est,ful,fully,ibility,ible,ibly,ied,ier,ies,iest,
        ing,ingly,ings,ion,ional,ions,ism,isms,ist,ists,ities,ity,ive,ively,ives,
        ization,izations,ize,ized,izer,izes,izing,less,ly,ment,ments,ness,ous,
        ously,s,y,ying}'::text[]) AS ending
     CROSS JOIN unnest(ts_lexize('english_stem', left(typed, kept) || ending))
         AS stem
     WHERE starts_with(ending, substr(typed, kept + 1))
       AND (kept < length(typed) OR typed ~ '(.)\1$')
       AND length(stem) < length(typed)
$$;
COMMENT ON FUNCTION alloy.search_beginning(text) IS
    'The stems of words that begin so';
REVOKE ALL ON FUNCTION alloy.search_beginning(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION alloy.search_beginning(text) TO alloy_app;

-- What people type into a search box: words that must all be there, "phrases",
-- or, and - for what must not. English stems; a text of nothing but stop words
-- ("to do") is looked for in titles. The last word may be the beginning of one,
-- unless a quote or a minus is before it; beginnings shorter than three letters
-- would read half the index. Nothing typed is an error: where PostgreSQL has one
-- (more signs in a row than its parser can stack) signs are not read as such.
CREATE OR REPLACE FUNCTION alloy.search_query(typed text) RETURNS tsquery
    LANGUAGE plpgsql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
    SET client_min_messages = warning AS $$
DECLARE
    config regconfig := 'english';
    last   text := lower(substring(typed FROM
                                   '(?:^|\s)([^\s[:punct:]]{3,})\s*$'));
    quotes integer := length(typed) - length(replace(typed, '"', ''));
    asked  tsquery;
    word   tsquery;
BEGIN
    BEGIN
        asked := websearch_to_tsquery(config, typed);
        IF numnode(asked) = 0 THEN
            config := 'alloy.words';
            asked := websearch_to_tsquery(config, typed);
        END IF;
    EXCEPTION WHEN internal_error OR program_limit_exceeded THEN
        asked := plainto_tsquery(config, typed);
    END;
    word := plainto_tsquery(config, last);
    IF quotes % 2 = 1 OR numnode(word) IS DISTINCT FROM 1 THEN
        RETURN asked;
    END IF;
    RETURN ts_rewrite(asked, word,
                      word || alloy.search_beginning(last));
END
$$;
COMMENT ON FUNCTION alloy.search_query(text) IS
    'What a search box''s text asks for; never an error';
REVOKE ALL ON FUNCTION alloy.search_query(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION alloy.search_query(text) TO alloy_app;

SET ROLE alloy_definer;

-- Matching is not leakproof, so a policy would have every document of the
-- organization read before it is asked whether it matches. Here the index is
-- asked first; what the policy says is said again, from the same settings. A
-- ticket may come several times; ranks cost time and are NULL unless wanted.
CREATE OR REPLACE FUNCTION definer.search_tickets(org uuid, query tsquery,
                                                  ranked boolean)
    RETURNS TABLE (ticket_id uuid, rank real)
    LANGUAGE sql STABLE STRICT SECURITY DEFINER ROWS 100
    SET search_path = pg_catalog, pg_temp AS $$
    SELECT x.ticket_id, CASE WHEN ranked THEN ts_rank(x.document, query) END
      FROM alloy.ticket_text x
     WHERE x.org_id = org AND x.document @@ query
       AND org = ANY ((SELECT nullif(current_setting('alloy.orgs', true),
                                     '')::uuid[])::uuid[])
       AND (org = ANY ((SELECT nullif(current_setting('alloy.all', true),
                                      '')::uuid[])::uuid[])
            OR x.project_id = ANY ((SELECT
                CASE current_setting('alloy.projects', true)
                WHEN '' THEN NULL
                WHEN '*' THEN definer.my_projects()
                ELSE current_setting('alloy.projects', true)::uuid[]
                END)::uuid[]))
$$;
COMMENT ON FUNCTION definer.search_tickets(uuid, tsquery, boolean) IS
    'Tickets of one organization that match, as far as the caller sees them';
GRANT EXECUTE ON FUNCTION definer.search_tickets(uuid, tsquery, boolean)
   TO alloy_app;

SET ROLE alloy_owner;
