-- Functions that the finance statements call. Re-applied at every migration.

-- A day is a day in the organization's time zone.
CREATE OR REPLACE FUNCTION alloy.today(org uuid) RETURNS date
    LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT (clock_timestamp() AT TIME ZONE o.timezone)::date
      FROM alloy.organization o
     WHERE o.org_id = org
$$;
COMMENT ON FUNCTION alloy.today(uuid) IS
    'Today by the calendar of an organization';

-- A period is a month (2026-04), a quarter (2026-Q2) or a year (2026).
CREATE OR REPLACE FUNCTION alloy.period_first(period text) RETURNS date
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp AS $$
    SELECT make_date(left(period, 4)::integer,
        CASE WHEN length(period) = 4 THEN 1
             WHEN substr(period, 6, 1) = 'Q'
             THEN substr(period, 7, 1)::integer * 3 - 2
             ELSE substr(period, 6, 2)::integer END, 1)
$$;
COMMENT ON FUNCTION alloy.period_first(text) IS 'The first day of a period';

CREATE OR REPLACE FUNCTION alloy.period_last(period text) RETURNS date
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp AS $$
    SELECT (alloy.period_first(period) + make_interval(months =>
        CASE WHEN length(period) = 4 THEN 12
             WHEN substr(period, 6, 1) = 'Q' THEN 3
             ELSE 1 END))::date - 1
$$;
COMMENT ON FUNCTION alloy.period_last(text) IS 'The last day of a period';

-- Halves go up, away from zero: what takes an entry back takes back all of it.
CREATE OR REPLACE FUNCTION alloy.time_amount(minutes integer, rate_cents bigint)
    RETURNS bigint LANGUAGE sql IMMUTABLE PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN minutes < 0 THEN -1 ELSE 1 END
           * ((abs(minutes)::bigint * rate_cents * 2 + 60) / 120)
$$;
COMMENT ON FUNCTION alloy.time_amount(integer, bigint) IS
    'What minutes cost in cents, at a rate in cents per hour';

REVOKE ALL ON FUNCTION alloy.today(uuid), alloy.period_first(text),
    alloy.period_last(text), alloy.time_amount(integer, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION alloy.today(uuid), alloy.period_first(text),
    alloy.period_last(text), alloy.time_amount(integer, bigint) TO alloy_app;

SET ROLE alloy_definer;

-- Whoever logs time may not see all projects the person works in, but a day has
-- 24 hours for all of them. Rejected time doesn't count, and what takes time back
-- makes room when it is approved: until then it may go away again.
CREATE OR REPLACE FUNCTION definer.minutes_of_day(org uuid, person uuid,
                                                  on_day date, besides uuid)
    RETURNS bigint LANGUAGE sql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(sum(e.minutes), 0)
      FROM alloy.time_entry e
     WHERE e.org_id = org AND e.user_id = person AND e.day = on_day
       AND e.status <> 'Rejected' AND e.deleted_at IS NULL
       AND (e.minutes > 0 OR e.status = 'Approved')
       AND e.id IS DISTINCT FROM besides
$$;
COMMENT ON FUNCTION definer.minutes_of_day(uuid, uuid, date, uuid) IS
    'How much of a day a person''s time entries fill, but for one of them';
REVOKE ALL ON FUNCTION definer.minutes_of_day(uuid, uuid, date, uuid)
  FROM PUBLIC;
GRANT EXECUTE ON FUNCTION definer.minutes_of_day(uuid, uuid, date, uuid)
   TO alloy_app;

SET ROLE alloy_owner;
