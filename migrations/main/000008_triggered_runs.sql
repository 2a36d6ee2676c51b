-- What runs have triggered: the answer to each call, committed with its intent and the new run.

create table triggered_runs (
  run_id text not null references runs (id) on delete cascade,
  -- numbers the calls of a run from 1: replay finds its own by it
  number integer not null,
  -- the new run, which may be deleted before its caller; null: it was refused
  child_id text,
  -- why it was refused
  error text not null default '',
  -- the caller waits for its end
  awaited integer not null check (awaited in (0, 1)),
  primary key (run_id, number)
) strict, without rowid;

create index triggered_runs_by_child on triggered_runs (child_id) where child_id is not null;

-- The pipelines behind a run that a run has triggered, the first caller first: a JSON array of ids.
alter table runs add column callers text not null default '[]';

create trigger runs_wake_caller after update of status on runs
when new.status in ('success', 'failed', 'skipped') begin
  update runs set suspended = 0, available_at = null, wait_reason = ''
  where suspended = 1
    and id in (select run_id from triggered_runs where child_id = new.id and awaited = 1);
end;

create trigger runs_wake_caller_of_deleted after delete on runs begin
  update runs set suspended = 0, available_at = null, wait_reason = ''
  where suspended = 1
    and id in (select run_id from triggered_runs where child_id = old.id and awaited = 1);
end;
