-- Which runs may run beside one another, which go first, where they may run and for how long.

alter table pipelines add column priority integer not null default 0 check (priority in (-1, 0, 1));
-- a sorted JSON array; an executor has to have all of them
alter table pipelines add column labels text not null default '[]';
-- 0: no limit
alter table pipelines add column max_in_flight integer not null default 0;
alter table pipelines add column run_timeout_ms integer not null default 0;

alter table executors add column labels text not null default '[]';

-- Those of its pipeline when it was accepted.
alter table runs add column priority integer not null default 0 check (priority in (-1, 0, 1));
alter table runs add column labels text not null default '[]';
-- Its group from its claim to its end: it is held also while the run waits in the queue with steps
-- behind it. The index makes sure that nobody else has it, whatever the code does.
alter table runs add column held_group text;
-- Whose wish its stop is, when it is no person's: what then stands as its error.
alter table runs add column stop_code text not null default '';
alter table runs add column stop_message text not null default '';
-- When it has run for as long as its pipeline may; while it waits again, what is left of that.
alter table runs add column deadline_at integer;
alter table runs add column remaining_ms integer;

create unique index runs_held on runs (held_group) where held_group is not null;

-- The queue in its order; the same by what may keep a run in it: a claim looks at the head of each.
drop index runs_queued;
create index runs_queued on runs (priority desc, seq) where status = 'queued';
create index runs_queued_by_kind on runs (pipeline_id, labels, concurrency_group, priority desc, seq)
  where status = 'queued';
create index pipelines_limited on pipelines (id, max_in_flight) where max_in_flight > 0;
create index runs_running_by_pipeline on runs (pipeline_id) where status = 'running';
-- the few that may be tried alone
create index runs_deadly on runs (seq) where deaths > 0 and status in ('queued', 'running');
create index runs_active_by_group on runs (concurrency_group, seq)
  where status in ('queued', 'running') and concurrency_group <> '';

-- A run that has ended holds nothing, whoever ended it.
create trigger runs_release_group after update of status on runs
when new.status in ('success', 'failed', 'skipped')
  and (old.held_group is not null or old.deadline_at is not null or old.remaining_ms is not null) begin
  update runs set held_group = null, deadline_at = null, remaining_ms = null where seq = new.seq;
end;
