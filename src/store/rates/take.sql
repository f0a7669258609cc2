-- Reserves a call to a provider account.
-- $1 provider, $2 seconds between two calls, $3 seconds that may be called ahead, $4 longest wait in seconds
insert into outreach.rates as r (provider, next_at)
values ($1, clock_timestamp() + $2 * interval '1 second')
on conflict (provider) do update
    set next_at = greatest(r.next_at, r.paused_until, clock_timestamp()) + $2 * interval '1 second'
    where greatest(r.next_at - $3 * interval '1 second', r.paused_until)
        <= clock_timestamp() + $4 * interval '1 second'
returning
    -- The call's own place is one interval before what was written.
    extract(epoch from
        greatest(
            next_at - ($2 + $3) * interval '1 second',
            paused_until
        ) - clock_timestamp()
    )::double precision
