-- Rows of whatever a plan depends on that were ever inserted, updated or deleted, as the server counts.
select coalesce(sum(n_tup_ins + n_tup_upd + n_tup_del), 0)::bigint as changes
from pg_stat_all_tables
where relid in (
    'public.companies'::regclass, 'public.employees'::regclass, 'outreach.enrollments'::regclass,
    'outreach.suppressions'::regclass, 'outreach.pauses'::regclass,
    'outreach.paused_companies'::regclass, 'outreach.approvals'::regclass
)
