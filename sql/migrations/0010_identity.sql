-- What a password reset has to remember: on whose behalf the code was given out.
-- The rule "a member of no other organization" is asked again when it is used.

ALTER TABLE identity.reset_code
    ADD COLUMN org_id     uuid,
    ADD COLUMN created_by uuid REFERENCES identity.user;
COMMENT ON COLUMN identity.reset_code.org_id IS
    'The organization whose Owner made it; NULL: the server''s administrator';
