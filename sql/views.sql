-- Views, re-applied at every migration. Each is security_invoker: it shows what
-- its reader's own rights and fences let through, whoever made it.

CREATE OR REPLACE VIEW identity.person
    WITH (security_invoker = true) AS
SELECT id, email, display_name FROM identity.user;
COMMENT ON VIEW identity.person IS
    'The caller and everybody who is or was in an organization of this call';

GRANT SELECT ON identity.person TO alloy_app;
