-- Gates: where a run waits for a person. And runs that wait without a thread and a slot.

create table gates (
  -- order of creation
  seq integer primary key autoincrement,
  -- a UUID
  id text not null unique,
  run_id text not null references runs (id) on delete cascade,
  -- numbers the gates that a run asks for from 1: replay finds its own by it
  number integer not null,
  name text not null,
  message text not null default '',
  -- a JSON array; empty: whoever may resolve gates at all
  approvers text not null default '[]',
  status text not null check (status in ('pending', 'approved', 'rejected', 'timed_out')),
  -- who resolved it: an actor, `unknown` where nobody signs in, or `timeout`
  approved_by text not null default '',
  comment text not null default '',
  created_at integer not null,
  deadline_at integer,
  resolved_at integer,
  check ((status = 'pending') = (resolved_at is null))
) strict;

create index gates_by_run on gates (run_id, number);
create index gates_by_status on gates (status, seq);

-- 1: a queued run that waits for something other than its turn. It counts neither as running nor as
-- queued. `available_at` is then when its wait is over in any case.
alter table runs add column suspended integer not null default 0 check (suspended in (0, 1));

create index runs_by_due_time on runs (available_at) where status = 'queued' and available_at is not null;

create trigger gates_wake_run after update of status on gates
when old.status = 'pending' begin
  update runs set suspended = 0, available_at = null, wait_reason = ''
  where id = new.run_id and suspended = 1;
end;

-- Whatever takes a run out of the queue ends its wait.
create trigger runs_end_suspension after update of status on runs
when new.suspended = 1 and new.status <> 'queued' begin
  update runs set suspended = 0 where seq = new.seq;
end;
