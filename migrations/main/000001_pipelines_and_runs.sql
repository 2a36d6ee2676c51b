-- The first tables: what is stored (pipelines), what is asked for (runs), what a run did
-- (tasks, journal) and who does it (executors). Times are unix milliseconds.

create table pipelines (
  id text primary key,
  name text not null unique,
  content text not null,
  content_type text not null,
  -- empty: the server's default driver at the time of the run
  driver text not null default '',
  -- the program that the sandbox evaluates and its source map, made from `content` when it is set
  program text not null,
  source_map text not null,
  resume_enabled integer not null default 0 check (resume_enabled in (0, 1)),
  paused integer not null default 0 check (paused in (0, 1)),
  rbac_expression text not null default '',
  concurrency_mode text not null default '',
  concurrency_group_template text not null default '',
  concurrency_cancel_running integer not null default 0 check (concurrency_cancel_running in (0, 1)),
  created_at integer not null,
  updated_at integer not null
) strict;

create index pipelines_by_age on pipelines (created_at desc, id);

create table executors (
  id text primary key,
  pid integer not null,
  host text not null,
  -- runs that it executes at once
  capacity integer not null check (capacity > 0),
  started_at integer not null,
  -- past this time it counts as dead and its capacity as gone
  lease_expires_at integer not null
) strict;

create table runs (
  -- order of acceptance: the queue is served by it
  seq integer primary key autoincrement,
  id text not null unique,
  pipeline_id text not null references pipelines (id) on delete cascade,
  status text not null check (status in ('queued', 'running', 'success', 'failed', 'skipped')),
  -- number of the claim that owns it; every write of a running run names it
  attempt integer not null default 0,
  executor_id text,
  lease_expires_at integer,
  trigger_type text not null,
  triggered_by text not null default '',
  trigger_input text not null,
  request_id text not null default '',
  concurrency_group text not null default '',
  error_code text not null default '',
  error_message text not null default '',
  stop_requested_at integer,
  stop_requested_by text not null default '',
  created_at integer not null,
  started_at integer,
  completed_at integer,
  check ((status = 'running') = (executor_id is not null)),
  check ((status in ('success', 'failed', 'skipped')) = (completed_at is not null))
) strict;

create index runs_by_pipeline on runs (pipeline_id, seq desc);
create index runs_queued on runs (seq) where status = 'queued';
create index runs_running on runs (executor_id, lease_expires_at) where status = 'running';

create table tasks (
  id integer primary key,
  run_id text not null references runs (id) on delete cascade,
  -- numbers the run's tasks from 1 and keys their output in the log database, where 0 is the run's console
  step integer not null,
  path text not null,
  name text not null,
  status text not null,
  code integer,
  started_at integer,
  completed_at integer,
  error_message text not null default '',
  unique (run_id, step),
  unique (run_id, path)
) strict;

-- What a run asked of the host and what came back, in the order in which it entered the sandbox.
create table journal (
  run_id text not null references runs (id) on delete cascade,
  seq integer not null,
  attempt integer not null,
  kind text not null check (kind in ('intent', 'result', 'output')),
  -- numbers the effects of a run from 1; a result or an output names the effect of its intent
  effect integer not null,
  -- of an intent: which effect, its place among those of that name, the effect it belongs to,
  -- and a hash of its arguments
  name text,
  occurrence integer,
  parent integer,
  args_hash blob,
  -- of a result: how it ended; value is JSON
  outcome text check (outcome in ('resolve', 'reject')),
  value text,
  at integer not null,
  primary key (run_id, seq)
) strict, without rowid;

-- The `storage` global: keys of one pipeline; those of a run go with it.
create table storage_entries (
  id integer primary key,
  pipeline_id text not null references pipelines (id) on delete cascade,
  run_id text references runs (id) on delete cascade,
  key text not null,
  payload text not null,
  updated_at integer not null,
  unique (pipeline_id, key)
) strict;

-- Runs that are gone and whose output is not yet: an executor removes it in the background.
create table log_purges (
  run_id text primary key
) strict, without rowid;

create trigger runs_purge_logs after delete on runs begin
  insert or ignore into log_purges (run_id) values (old.id);
end;
