-- What else ends with a membership, the order in which members are listed, and
-- who the Owners are: the last one must stay.

CREATE INDEX membership_newest
    ON alloy.membership (org_id, created_at DESC, user_id DESC);
CREATE INDEX membership_owner ON alloy.membership (org_id, user_id)
    WHERE role = 'Owner' AND removed_at IS NULL;

GRANT DELETE ON alloy.project_member TO alloy_definer;
CREATE POLICY definer_delete ON alloy.project_member FOR DELETE
    TO alloy_definer USING (true);

SET LOCAL ROLE alloy_definer;

-- Whoever comes back by another invite begins anew: in no project, and his keys
-- of this organization don't work again.
CREATE FUNCTION definer.membership_ended() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM alloy.project_member
     WHERE org_id = NEW.org_id AND user_id = NEW.user_id;
    UPDATE identity.api_key SET revoked_at = clock_timestamp()
     WHERE user_id = NEW.user_id AND org_id = NEW.org_id
       AND revoked_at IS NULL;
    RETURN NULL;
END
$$;
GRANT EXECUTE ON FUNCTION definer.membership_ended() TO alloy_owner;

SET LOCAL ROLE alloy_owner;

CREATE TRIGGER membership_ended AFTER UPDATE ON alloy.membership
    FOR EACH ROW WHEN (OLD.removed_at IS NULL AND NEW.removed_at IS NOT NULL)
    EXECUTE FUNCTION definer.membership_ended();
