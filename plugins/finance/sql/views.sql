-- Views of the finance plugin, re-applied at every migration.

-- What policies say, as data: of a policy's rules, the first whose every
-- condition holds for an entry's frozen facts decides about it. NULL is no
-- condition. A version that was once applied is never edited, because sealed
-- reports name it: a policy that comes to say something else gets rules with the
-- next version, beside the old ones.
--
-- us-gaap-350-40   ASC 350-40 before ASU 2025-06: costs of the application
--                  development stage (350-40-25-2); training and maintenance
--                  are expensed in every stage (25-4, 25-6).
-- us-gaap-2025-06  ASU 2025-06: no stages; from the day on which funding is
--                  authorized and completion is probable (350-40-25-12).
-- ias-38           IAS 38.57: the development phase, as far as feasibility and
--                  resources can be shown; IAS 38.54, 20, 67(c) for the rest.
CREATE OR REPLACE VIEW alloy.capitalization_rule
    WITH (security_invoker = true) AS
SELECT r.policy, r.version, r.rule, r.activities, r.capitalization_type,
       r.development_phase, r.funding_authorized, r.completion_probable,
       r.treatment, r.reason
  FROM (VALUES
    ('us-gaap-350-40'::text, 1, 1, '{Training,Maintenance}'::text[], NULL::text,
     NULL::text, NULL::boolean, NULL::boolean, 'expense'::text,
     'Training and maintenance are expensed as incurred.'::text),
    ('us-gaap-350-40', 1, 2, NULL, 'Capex', 'AppDevelopment', NULL, NULL,
     'capitalize', 'Work of the application development stage.'),
    ('us-gaap-350-40', 1, 3, NULL, NULL, NULL, NULL, NULL,
     'expense', 'Another stage, or not meant to be capitalized.'),
    ('us-gaap-2025-06', 1, 1, '{Training,Maintenance}', NULL, NULL, NULL, NULL,
     'expense', 'Training and maintenance are expensed as incurred.'),
    ('us-gaap-2025-06', 1, 2, NULL, 'Capex', NULL, true, true,
     'capitalize', 'Funding was authorized and completion probable.'),
    ('us-gaap-2025-06', 1, 3, NULL, NULL, NULL, NULL, NULL,
     'expense', 'Not funded, not probable, or not meant to be capitalized.'),
    ('ias-38', 1, 1, '{Training,Maintenance}', NULL, NULL, NULL, NULL,
     'expense', 'Training and maintenance are expensed as incurred.'),
    ('ias-38', 1, 2, NULL, 'Capex', 'AppDevelopment', true, true,
     'capitalize', 'Development whose completion and resources are shown.'),
    ('ias-38', 1, 3, NULL, NULL, NULL, NULL, NULL,
     'expense', 'Research, or a criterion that is not met.')
  ) AS r (policy, version, rule, activities, capitalization_type,
          development_phase, funding_authorized, completion_probable, treatment,
          reason);
COMMENT ON VIEW alloy.capitalization_rule IS
    'The rules of every version of every capitalization policy, in order';

GRANT SELECT ON alloy.capitalization_rule TO alloy_app;
