-- What settling a push needs of its campaign, so that a person can settle one whose file is gone.
alter table outreach.campaigns
    add column outreach_type text check (outreach_type in ('sales', 'marketing')),
    -- Extra columns and their values: {"employee.processing_status": "enrolled"}.
    add column write_back    jsonb,
    -- The daily limit and since when it holds, to audit what was handed over since.
    add column limits        jsonb,
    add column limits_since  timestamptz;
