-- How the campaign at its provider differed from what is declared when a pass looked: what pages show of drift
-- without asking the provider.
alter table outreach.reconciles add column remote jsonb;
