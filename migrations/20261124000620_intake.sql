-- Whether people of a tick wait to be handed over: a pass may end before, by a change of files, by the end of a
-- window or for want of mailboxes, and the next one goes on with them, tick or not.
alter table outreach.campaigns add column intake_open boolean not null default false;
