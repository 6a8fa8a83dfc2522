from django.db import migrations

# An event is neither changed nor removed by anything the platform does. The one way out is
# `manage.py trim_audit`, which says so by a setting that lasts for its transaction.
FORWARDS = """
CREATE FUNCTION accounts_audit_is_append_only() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' AND current_setting('mlplatform.trims_audit', true) = 'yes' THEN
        RETURN OLD;
    END IF;
    RAISE EXCEPTION 'the audit log is append-only: % refused', TG_OP
        USING ERRCODE = 'restrict_violation';
END
$$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR DELETE ON accounts_auditevent
    FOR EACH ROW EXECUTE FUNCTION accounts_audit_is_append_only();
"""

BACKWARDS = """
DROP TRIGGER audit_is_append_only ON accounts_auditevent;
DROP FUNCTION accounts_audit_is_append_only();
"""


class Migration(migrations.Migration):

    dependencies = [
        ("accounts", "0002_audit_event"),
    ]

    operations = [
        migrations.RunSQL(FORWARDS, BACKWARDS),
    ]
