-- Words are kept once, as stems: reading each text a second time, for its words as
-- they are written, took a fifth of a new ticket's time. What people type of a
-- word is turned into stems instead (alloy.search_query). Documents made before
-- hold more than that, so they are found as well.

-- English with its stop words, for titles: "to do" is one. In longer texts they
-- are noise.
CREATE TEXT SEARCH DICTIONARY alloy.stem (
    TEMPLATE = pg_catalog.snowball, Language = english
);
CREATE TEXT SEARCH CONFIGURATION alloy.words (COPY = pg_catalog.english);
ALTER TEXT SEARCH CONFIGURATION alloy.words
    ALTER MAPPING REPLACE pg_catalog.english_stem WITH alloy.stem;

CREATE OR REPLACE FUNCTION alloy.words(content text, weight "char")
    RETURNS tsvector LANGUAGE sql IMMUTABLE PARALLEL SAFE
    RETURN setweight(to_tsvector(CASE weight WHEN 'A'
                                 THEN 'alloy.words'::regconfig
                                 ELSE 'pg_catalog.english'::regconfig END,
                                 coalesce(content, '')), weight);
