-- A job that passed without a run of it: somebody said so. 1: nothing was executed.
alter table tasks add column seeded integer not null default 0 check (seeded in (0, 1));
