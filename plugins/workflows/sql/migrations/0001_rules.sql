-- What a transition may ask for, besides being in the list.

ALTER TABLE alloy.workflow_transition
    ADD COLUMN required_fields text[] NOT NULL DEFAULT '{}',
    ADD COLUMN roles           text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN alloy.workflow_transition.required_fields IS
    'What a ticket must have to go this way';
COMMENT ON COLUMN alloy.workflow_transition.roles IS
    'Who may go this way, those above included; empty: whoever moves tickets';

CALL alloy.fence('alloy.workflow_transition', deletable => true);
CALL alloy.log_changes('alloy.workflow_transition', 'workflow_transition',
    '{from_status,to_status,position,required_fields,roles}',
    entity_id => 'workflow_id');
