-- Parents of tickets: a chain must be followed beyond what its reader may see,
-- or a hidden ticket in the middle would hide a cycle.

GRANT SELECT (org_id, id, parent_id) ON alloy.ticket TO alloy_definer;
CREATE POLICY definer ON alloy.ticket FOR SELECT TO alloy_definer USING (true);
