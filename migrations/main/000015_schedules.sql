-- When pipelines start runs by themselves. What a pipeline declares is written here when it is set.

create table schedules (
  id text primary key,
  pipeline_id text not null references pipelines (id) on delete cascade,
  name text not null,
  schedule_type text not null check (schedule_type in ('cron', 'interval')),
  schedule_expr text not null,
  -- the one job that it is for; empty: several, or all
  job_name text not null default '',
  -- JSON: what its runs are given
  trigger_input text not null default '{}',
  enabled integer not null default 1 check (enabled in (0, 1)),
  last_run_at integer,
  -- A firing is the change of this from the time that was due, in the transaction that queues the run:
  -- nobody can do it twice. Past: it is due. Null: it is paused.
  next_run_at integer,
  created_at integer not null,
  updated_at integer not null,
  unique (pipeline_id, name),
  check ((enabled = 1) = (next_run_at is not null))
) strict;

create index schedules_by_time on schedules (next_run_at) where next_run_at is not null;
